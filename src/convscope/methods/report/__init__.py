"""`convscope.report`: one page on one photograph and one network."""

from convscope.methods.report.make import report

__all__ = ["report"]
