r"""Samples given that some assets return this or that, from any pool of outcomes.

The generator is a black box, so conditions are met on a pool of its outcomes: bounds by keeping what lies inside
(exact), values by the nearest outcomes, moved by local linear regression onto the value (as in approximate Bayesian
computation; exact where the other assets depend linearly on the given ones with constant spread, in logarithms).
Sits above `scenario_matrix`, below the skfolio estimator.
"""

import math
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from portfolio.interop.scenario_matrix import ScenarioMatrix, equally_likely_rows
from tsgen.errors import ConfigError, DataError

# a conditional law read off fewer outcomes than this is mostly the luck of the pool
_FEW = 20

Conditioning = Mapping[Any, Any]


class ThinConditioningWarning(UserWarning):
    """Hardly any outcome of the pool comes near the condition: the result is extrapolated."""


class _Conditions(NamedTuple):
    columns: list[int]
    values: NDArray[np.float64]
    """Shape (sample, given asset), log returns."""
    bounds: dict[int, tuple[float, float]]
    """Log returns."""


def conditioned_sample(
    pool: ScenarioMatrix,
    conditioning: Conditioning,
    n_samples: int,
    *,
    assets: tuple[str, ...],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Equally likely outcomes given conditions, in skfolio's terms.

    Parameters
    ----------
    pool : ScenarioMatrix
        Outcomes of the unconditioned law; many more than ``n_samples``.
    conditioning : dict of asset (name or column) to float, tuple or array
        A number: the return is this. A pair ``(low, high)`` as a tuple: it lies between, infinite bounds allowed. An
        array of length ``n_samples``: one value per sample. Simple returns.
    n_samples : int
    assets : tuple of str
    rng : Generator

    Returns
    -------
    ndarray of shape (sample, asset), float64
        Simple returns.

    Raises
    ------
    ConfigError
        If a condition is not understood.
    DataError
        If no outcome of the pool can meet the bounds.

    Warns
    -----
    ThinConditioningWarning
        If fewer than 20 outcomes lie within the bounds, or within one standard deviation of the values.

    References
    ----------
    Beaumont, Zhang, Balding (2002), "Approximate Bayesian computation in population genetics", Genetics 162, section
    "Local linear regression".

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(0, 0.02, (5000, 1)) + rng.normal(0, 0.01, (5000, 2))
    >>> pool = ScenarioMatrix(rows, np.full(5000, 1 / 5000))
    >>> down = conditioned_sample(pool, {"A": -0.05}, 500, assets=("A", "B"), rng=rng)
    >>> bool((down[:, 0].round(12) == -0.05).all()), bool(-0.045 < down[:, 1].mean() < -0.035)
    (True, True)
    """
    given = _conditions(conditioning, n_samples, assets)
    log = np.log1p(pool.returns)
    inside = pool.probabilities * _within(log, given.bounds)
    n_inside = int((inside > 0).sum())
    if n_inside == 0:
        raise DataError(
            f"none of {len(log):,} outcomes lies within the bounds given for {_names(given.bounds, assets)}. Widen "
            "them, or draw a larger pool."
        )
    if given.bounds and n_inside < _FEW:
        _warn(f"only {n_inside} of {len(log):,} outcomes lie within the bounds for {_names(given.bounds, assets)}")
    if not given.columns:
        return np.expm1(log[equally_likely_rows(inside, n_samples, rng=rng)])
    keep = inside > 0
    return np.expm1(_at_values(log[keep], inside[keep] / inside.sum(), given, assets, rng))


def _conditions(conditioning: Conditioning, n_samples: int, assets: tuple[str, ...]) -> _Conditions:
    if not isinstance(conditioning, Mapping) or not conditioning:
        raise ConfigError(f"conditioning must be a dict of asset to value, bounds or array: got {conditioning!r}.")
    columns: list[int] = []
    values: list[NDArray[np.float64]] = []
    bounds: dict[int, tuple[float, float]] = {}
    for key, wanted in conditioning.items():
        column = _column(key, assets)
        if column in columns or column in bounds:
            raise ConfigError(f"conditioning names {assets[column]} twice, by name and by column.")
        if isinstance(wanted, tuple):
            bounds[column] = _bounds(wanted, assets[column])
        else:
            columns.append(column)
            values.append(_values(wanted, n_samples, assets[column]))
    return _Conditions(columns, np.array(values).reshape(len(columns), n_samples).T, bounds)


def _column(key: Any, assets: tuple[str, ...]) -> int:
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool) and 0 <= key < len(assets):
        return int(key)
    if str(key) in assets and isinstance(key, str):
        return assets.index(key)
    raise ConfigError(f"conditioning names {key!r}, expected a column number or one of {', '.join(assets)}.")


def _bounds(wanted: tuple[Any, ...], asset: str) -> tuple[float, float]:
    try:
        low, high = (float(bound) for bound in wanted)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not low < high or high <= -1.0:
        raise ConfigError(f"bounds for {asset} must be (low, high) with low < high and high above -1: got {wanted!r}.")
    return (-math.inf if low <= -1.0 else math.log1p(low)), math.log1p(high)


def _values(wanted: Any, n_samples: int, asset: str) -> NDArray[np.float64]:
    try:
        values = np.asarray(wanted, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.array(math.nan)
    if values.shape not in ((), (n_samples,)) or not np.isfinite(values).all() or values.min() <= -1.0:
        raise ConfigError(
            f"the condition on {asset} must be a simple return above -1, a tuple (low, high), or an array of "
            f"{n_samples} returns, one per sample: got {wanted!r}."
        )
    return np.log1p(np.broadcast_to(values, (n_samples,)))


def _within(log: NDArray[np.float64], bounds: dict[int, tuple[float, float]]) -> NDArray[np.bool_]:
    inside = np.ones(len(log), dtype=bool)
    for column, (low, high) in bounds.items():
        inside &= (log[:, column] >= low) & (log[:, column] <= high)
    return inside


def _at_values(
    log: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    given: _Conditions,
    assets: tuple[str, ...],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    d = len(given.columns)
    scaled = _whitened(log[:, given.columns], probabilities)
    neighbours = min(len(log), max(math.ceil(len(log) ** (4 / (4 + d))), min(len(log), 2 * d + 2)))
    result = np.empty((len(given.values), log.shape[1]))
    targets, inverse = np.unique(given.values, axis=0, return_inverse=True)
    fewest = len(log)
    for number, target in enumerate(targets):
        gaps = scaled(log[:, given.columns] - target)
        distance = np.linalg.norm(gaps, axis=1)
        fewest = min(fewest, int((distance <= 1.0).sum()))
        nearest = np.argpartition(distance, neighbours - 1)[:neighbours]
        width = distance[nearest].max() * (1 + 1e-9) + 1e-300
        weights = probabilities[nearest] * (1.0 - (distance[nearest] / width) ** 2)
        rows = np.flatnonzero(inverse.ravel() == number)
        result[rows] = _moved(log[nearest], gaps[nearest], weights, given.bounds, len(rows), rng)
        result[rows[:, None], given.columns] = target
    if fewest < _FEW:
        _warn(f"only {fewest} of {len(log):,} outcomes come within a standard deviation of the values for "
              f"{_names(given.columns, assets)}")  # fmt: skip
    return result


def _whitened(sample: NDArray[np.float64], probabilities: NDArray[np.float64]) -> Any:
    """Map of differences to units of standard deviations, free of correlation."""
    centred = sample - probabilities @ sample
    values, vectors = np.linalg.eigh((centred * probabilities[:, None]).T @ centred)
    # a direction in which the pool does not move gets a tiny spread: any distance along it is then far
    spread = np.sqrt(np.maximum(values, max(values[-1], 1e-300) * 1e-12))
    return lambda gaps: gaps @ vectors / spread


def _moved(
    log: NDArray[np.float64],
    gaps: NDArray[np.float64],
    weights: NDArray[np.float64],
    bounds: dict[int, tuple[float, float]],
    n_rows: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draws from the neighbours, moved along the regression line to the value; outside the bounds drawn again."""
    weights = weights / weights.sum()
    root = np.sqrt(weights)[:, None]
    design = np.column_stack([np.ones(len(gaps)), gaps])
    slopes = np.linalg.lstsq(design * root, log * root, rcond=None)[0][1:]
    moved = log - gaps @ slopes
    weights = weights * _within(moved, bounds)
    if not weights.sum() > 0:
        raise DataError("no outcome meets values and bounds together. Widen the bounds, or draw a larger pool.")
    return moved[equally_likely_rows(weights, n_rows, rng=rng)]


def _names(columns: Any, assets: tuple[str, ...]) -> str:
    return ", ".join(assets[column] for column in columns)


def _warn(what: str) -> None:
    warnings.warn(
        f"{what}: the samples are extrapolated from the nearest ones, or repeat a few. Ask for something less extreme, "
        "or draw a larger pool.",
        ThinConditioningWarning,
        stacklevel=3,
    )
