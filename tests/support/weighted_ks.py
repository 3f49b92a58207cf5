"""Kolmogorov-Smirnov distance of two weighted samples, for tests and experiments."""

import numpy as np


def weighted_ks(first, p, second, q):
    """Largest distance of the two weighted empirical distribution functions."""
    grid = np.sort(np.concatenate([first, second]))
    found = []
    for values, weights in ((first, p), (second, q)):
        order = np.argsort(values)
        cumulated = np.concatenate([[0.0], np.cumsum(weights[order])])
        found.append(cumulated[np.searchsorted(values[order], grid, side="right")])
    return float(np.abs(found[0] - found[1]).max())
