"""The methods of `explain`, each a line of `METHODS`."""

from convscope.methods.attributions.table import METHODS

__all__ = ["METHODS"]
