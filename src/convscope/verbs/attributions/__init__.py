"""The methods of `explain`, each a line of `METHODS`."""

from convscope.verbs.attributions.table import METHODS

__all__ = ["METHODS"]
