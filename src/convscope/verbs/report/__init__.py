"""`convscope.report`: one page on one photograph and one network."""

from convscope.verbs.report.make import report

__all__ = ["report"]
