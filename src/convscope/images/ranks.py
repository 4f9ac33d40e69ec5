"""Ranks of values, and the correlation of two maps by them."""

import numpy as np


def ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each value, from 1, in the shape of the values; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    result: np.ndarray = (ends - (counts - 1) / 2)[inverse.reshape(values.shape)]
    return result


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation of two arrays of one shape, from -1 to 1; 0 where one of them is the same everywhere."""
    a, b = (ranks(values.ravel()) for values in (one, other))
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
