"""`convscope.train`: a network that tells the classes of a folder apart, new or fine-tuned."""

from convscope.verbs.train.make import train

__all__ = ["train"]
