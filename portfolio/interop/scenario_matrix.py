"""Scenarios as the matrix that other libraries take: rows are equally or unequally likely outcomes, columns assets.

One row is one path, seen over one span: its horizon, its first h periods, or one period. Paths are never laid end to
end: a drawdown over a concatenation is that of no path at all. Bottom of `portfolio.interop`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.scenario_set import ScenarioSet


class ScenarioMatrix(NamedTuple):
    """Outcomes and their probabilities."""

    returns: NDArray[np.float64]
    """Simple returns of shape (scenario, asset), decimals; a fresh, writable array."""
    probabilities: NDArray[np.float64]
    """Shape (scenario,), summing to one; a fresh array."""


def scenario_matrix(scenarios: ScenarioSet, *, horizon: int | None = None, period: int | None = None) -> ScenarioMatrix:
    """One simple return per scenario and asset.

    Parameters
    ----------
    scenarios : ScenarioSet
        Simple or log returns.
    horizon : int, optional
        Buy-and-hold return over the first ``horizon`` periods; by default over all of them.
    period : int, optional
        Return of this period alone, counted from 1, instead.

    Returns
    -------
    ScenarioMatrix

    Raises
    ------
    ConfigError
        If both are given, or one is outside the scenarios.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1], [0.1]], [[0.0], [-0.1]]], assets=["A"], kind="simple")
    >>> scenario_matrix(s).returns.round(4).tolist(), scenario_matrix(s, period=2).returns.round(4).tolist()
    ([[0.21], [-0.1]], [[0.1], [-0.1]])
    """
    if horizon is not None and period is not None:
        raise ConfigError("give horizon= (compounded) or period= (one period alone), not both.")
    for name, value in (("horizon", horizon), ("period", period)):
        wrong = isinstance(value, bool) or not isinstance(value, (int, np.integer))
        if value is not None and (wrong or not 1 <= value <= scenarios.horizon):
            raise ConfigError(f"{name} must be from 1 to {scenarios.horizon}, the scenarios' periods: got {value!r}.")
    if period is not None:
        returns = scenarios.to_kind("simple").returns[:, period - 1, :].copy()
    else:
        returns = scenarios.growth()[:, (scenarios.horizon if horizon is None else horizon) - 1, :] - 1.0
    return ScenarioMatrix(returns=returns, probabilities=scenarios.weights.copy())


def entropy_pooling_pair(
    scenarios: ScenarioSet, *, horizon: int | None = None, period: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The pair (R, p) of entropy-pooling programs: outcomes, and prior probabilities as a column.

    Parameters
    ----------
    scenarios, horizon, period
        As `scenario_matrix`.

    Returns
    -------
    tuple of ndarray
        R of shape (scenario, asset), simple returns; p of shape (scenario, 1). Give the posterior back to
        `with_posterior`.

    References
    ----------
    Meucci (2008), "Fully flexible views: theory and practice", section 2.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1]], [[0.0]]], assets=["A"], kind="simple")
    >>> R, p = entropy_pooling_pair(s)
    >>> R.shape, p.tolist()
    ((2, 1), [[0.5], [0.5]])
    """
    matrix = scenario_matrix(scenarios, horizon=horizon, period=period)
    return matrix.returns, matrix.probabilities[:, None]


def with_posterior(scenarios: ScenarioSet, posterior: ArrayLike) -> ScenarioSet:
    """The same paths with probabilities that another program has found.

    Parameters
    ----------
    scenarios : ScenarioSet
    posterior : array of shape (scenario,) or (scenario, 1)
        Not negative, summing to one within 1e-5, the accuracy that such programs reach; divided by its sum.

    Returns
    -------
    ScenarioSet

    Raises
    ------
    ShapeError
        If there is not one probability per scenario.
    DataError
        If one is negative beyond rounding, or not finite, or the sum is not one.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1]], [[0.0]]], assets=["A"], kind="simple")
    >>> with_posterior(s, [[0.75], [0.25]]).weights.tolist()
    [0.75, 0.25]
    """
    q = np.array(posterior, dtype=np.float64)
    if q.shape not in ((scenarios.n_scenarios,), (scenarios.n_scenarios, 1)):
        raise ShapeError(f"a posterior needs one probability per scenario: {scenarios.n_scenarios}, got {q.shape}.")
    q = q.ravel()
    if not np.isfinite(q).all() or q.min() < -1e-12 or abs(q.sum() - 1.0) > 1e-5:
        raise DataError(
            f"a posterior must be finite, not negative and sum to 1: its smallest entry is {q.min():.3g}, its sum "
            f"{q.sum():.9g}. Did the other program converge, and did its equations contain the row of ones?"
        )
    q = np.maximum(q, 0.0)
    return scenarios.with_probabilities(q / q.sum())


def equally_likely_rows(
    probabilities: NDArray[np.float64], n_rows: int, *, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Row numbers that represent probabilities by their frequency: systematic resampling, shape (n_rows,).

    Every row s occurs ``n_rows * p_s`` times, rounded up or down, and on average exactly that often. The order is
    random.

    References
    ----------
    Kitagawa (1996), "Monte Carlo filter and smoother for non-Gaussian nonlinear state space models", appendix.

    Examples
    --------
    >>> sorted(equally_likely_rows(np.array([0.5, 0.25, 0.25]), 4, rng=np.random.default_rng(0)).tolist())
    [0, 0, 1, 2]
    """
    grid = (rng.uniform() + np.arange(n_rows)) / n_rows
    ends = np.cumsum(probabilities / probabilities.sum())
    # the last end may be one rounding below 1
    rows = np.minimum(np.searchsorted(ends, grid, side="right"), np.flatnonzero(probabilities > 0)[-1])
    return rng.permutation(rows)
