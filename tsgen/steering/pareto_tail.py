"""How heavy the tail of importance weights is: the shape of a generalised Pareto law fitted to the largest ones."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_FEWEST = 20


def pareto_shape(log_weights: Floats) -> float:
    r"""Shape :math:`\hat k` of the weights' tail; above 0.7 the weighted means deserve no trust, below 0.5 they do.

    Parameters
    ----------
    log_weights : ndarray of shape (path,), float64

    Returns
    -------
    float
        NaN where the largest weights are too few or all alike (then there is no tail).

    References
    ----------
    Vehtari, Simpson, Gelman, Yao, Gabry (2024), "Pareto smoothed importance sampling", section 3.
    Zhang and Stephens (2009), "A new and efficient estimation method for the generalized Pareto distribution".

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bool(abs(pareto_shape(0.5 * rng.exponential(size=20_000)) - 0.5) < 0.1)  # weights with tail index 2
    True
    """
    n = len(log_weights)
    n_tail = int(min(0.2 * n, 3 * np.sqrt(n)))
    if n_tail < _FEWEST:
        return float("nan")
    ordered = np.sort(np.exp(log_weights - log_weights.max()))
    cut = ordered[-n_tail - 1]
    excess = ordered[-n_tail:] - cut
    if excess[-1] <= 1e-12 or (excess[0] <= 0 and float(np.median(excess)) <= 0):
        return float("nan")
    return _zhang_stephens(np.maximum(excess, 1e-300))


def _zhang_stephens(excess: Floats) -> float:
    """Posterior mean of the shape under a weak prior; ``excess`` increasing."""
    n = len(excess)
    m = 30 + int(np.sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1]
    grid = 1.0 / excess[-1] + (1.0 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3.0 * quartile)
    # a grid value of exactly zero is the exponential law: its shape is a limit, and rounding avoids it
    grid = np.where(np.abs(grid) < 1e-300, 1e-12, grid)
    shapes = np.log1p(-grid[:, None] * excess).mean(axis=1)
    likelihood = n * (np.log(-grid / shapes) - shapes - 1.0)
    weights = np.exp(likelihood - likelihood.max())
    theta = float((grid * weights).sum() / weights.sum())
    shape = float(np.log1p(-theta * excess).mean())
    return (n * shape + 10 * 0.5) / (n + 10)
