r"""Scenarios with the moments that a user wants: means, volatilities and correlations at the horizon.

An optimiser trusts scenario moments to the last digit, and a generator's are estimates. `match_moments` moves
them to given targets by one affine map of every period's log returns,

    r_t  ->  a + B r_t,      B = S^{-1/2} (S^{1/2} C S^{1/2})^{1/2} S^{-1/2},

where ``S`` is the scenarios' covariance of cumulated log returns at the horizon and ``C`` the wanted one. ``B`` is the
linear map that moves the scenarios least (Gelbrich). It mixes assets within a period and never periods, so
paths stay adapted, and volatility clustering, drawdown shapes and tail dependence stay the generator's.

Sits beside `tsgen.scenario_set` and needs nothing but numpy.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import DataError, ShapeError
from tsgen.scenario_set import ScenarioSet

Array = NDArray[np.float64]

_SYMMETRY = 1e-8
_SMALLEST_EIGENVALUE = 1e-10


def _root(matrix: Array, power: float) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 0.0) ** power) @ vectors.T


Target = ArrayLike | Mapping[str, float] | pd.Series | pd.DataFrame


def _places(name: str, labels: Iterable[object], assets: Sequence[str]) -> list[int]:
    """Where each asset stands among the labels."""
    names = [str(label) for label in labels]
    if sorted(names) != sorted(assets):
        raise DataError(
            f"{name} must name every asset of the scenarios once and no other: expected {', '.join(assets)}, got "
            f"{', '.join(names)}. Reindex it, or pass an array in the order of the assets."
        )
    return [names.index(asset) for asset in assets]


def _in_order(name: str, value: Target, assets: Sequence[str]) -> ArrayLike:
    """Labelled values in the order of the assets; others as they are."""
    if isinstance(value, pd.DataFrame):
        return value.to_numpy()[np.ix_(_places(name, value.index, assets), _places(name, value.columns, assets))]
    if isinstance(value, (Mapping, pd.Series)):
        labelled = value if isinstance(value, pd.Series) else pd.Series(dict(value))
        return labelled.to_numpy()[_places(name, labelled.index, assets)]
    return value


def _vector(name: str, value: ArrayLike, n_assets: int, *, positive: bool) -> Array:
    found = np.asarray(value, dtype=np.float64)
    if found.shape not in ((), (n_assets,)):
        raise ShapeError(f"{name} must be a number or one per asset: expected shape {(n_assets,)}, got {found.shape}.")
    found = np.broadcast_to(found, (n_assets,))
    if not np.isfinite(found).all() or (positive and (found <= 0).any()):
        raise DataError(
            f"{name} must be finite{' and positive' if positive else ''}: got {found.tolist()}. "
            "Give it per horizon, in decimals of log return."
        )
    return found


def _correlation(value: ArrayLike, n_assets: int) -> Array:
    found = np.asarray(value, dtype=np.float64)
    if found.shape != (n_assets, n_assets):
        raise ShapeError(f"correlation must have shape {(n_assets, n_assets)}: got {found.shape}.")
    ill = not np.isfinite(found).all() or np.abs(found - found.T).max() > _SYMMETRY
    if ill or np.abs(np.diag(found) - 1.0).max() > _SYMMETRY:
        raise DataError(
            "correlation must be finite and symmetric with ones on its diagonal. Pass a correlation matrix."
        )
    smallest = float(np.linalg.eigvalsh(found)[0])
    if smallest < -_SYMMETRY:
        raise DataError(
            f"correlation is not positive semi-definite: its smallest eigenvalue is {smallest:.3g}, so no returns have "
            "it. Use the nearest correlation matrix."
        )
    return found


def horizon_moments(scenarios: ScenarioSet) -> tuple[Array, Array]:
    """Probability-weighted mean (asset,) and covariance (asset, asset) of cumulated log returns at the horizon."""
    total = scenarios.to_kind("log").returns.sum(axis=1)
    weights = scenarios.weights
    mean = weights @ total
    centred = total - mean
    return mean, (centred * weights[:, None]).T @ centred


def match_moments(
    scenarios: ScenarioSet,
    *,
    mean: Target | None = None,
    volatility: Target | None = None,
    correlation: Target | None = None,
) -> ScenarioSet:
    """Scenarios moved to wanted moments at the horizon; what is not given stays.

    Parameters
    ----------
    scenarios : ScenarioSet
        More scenarios than assets, so that their covariance is invertible.
    mean, volatility : float, array of shape (asset,), mapping or Series, optional
        Mean and standard deviation of the cumulated log return over the whole horizon, in decimals. Mappings and Series
        are matched by name and must name every asset and no other one.
    correlation : array of shape (asset, asset) or DataFrame, optional
        Of cumulated log returns; a DataFrame is matched by name.

    Returns
    -------
    ScenarioSet
        Same kind, probabilities and as-of date; its horizon moments equal the targets to rounding. The targets are in
        its provenance.

    Raises
    ------
    DataError
        If no target is given, names do not match, a target is not attainable, or the scenarios' covariance is singular.
    ShapeError
        If a target has another shape.

    References
    ----------
    Gelbrich (1990), "On a formula for the L2 Wasserstein metric between measures on Euclidean and Hilbert spaces".

    Examples
    --------
    >>> paths = np.random.default_rng(0).normal(scale=0.01, size=(500, 21, 2))
    >>> wanted = match_moments(ScenarioSet(paths, ["A", "B"], "log"), mean=0.01, volatility=[0.05, 0.04])
    >>> mean, covariance = horizon_moments(wanted)
    >>> mean.round(6).tolist(), np.sqrt(np.diag(covariance)).round(6).tolist()
    ([0.01, 0.01], [0.05, 0.04])
    """
    if mean is None and volatility is None and correlation is None:
        raise DataError("match_moments was given no target: pass mean=, volatility= or correlation=.")
    n_assets, horizon = scenarios.n_assets, scenarios.horizon
    given = {"mean": mean, "volatility": volatility, "correlation": correlation}
    targets = {k: None if v is None else _in_order(k, v, scenarios.assets) for k, v in given.items()}
    mean, volatility, correlation = targets["mean"], targets["volatility"], targets["correlation"]
    own_mean, covariance = horizon_moments(scenarios)
    spread = np.sqrt(np.diag(covariance))
    if (spread == 0).any() or np.linalg.eigvalsh(covariance / np.outer(spread, spread))[0] < _SMALLEST_EIGENVALUE:
        raise DataError(
            f"the covariance of the scenarios at the horizon is singular ({scenarios.n_scenarios} scenarios, "
            f"{n_assets} assets): moments cannot be matched. Use more scenarios, or leave out assets that are copies "
            "or never move."
        )
    wanted_mean = own_mean if mean is None else _vector("mean", mean, n_assets, positive=False)
    wanted_spread = spread if volatility is None else _vector("volatility", volatility, n_assets, positive=True)
    own = covariance / np.outer(spread, spread)
    wanted = own if correlation is None else _correlation(correlation, n_assets)
    # correlation is moved between standardised returns: units and very unequal volatilities do not matter
    half, inverse = _root(own, 0.5), _root(own, -0.5)
    moved = inverse @ _root(half @ wanted @ half, 0.5) @ inverse
    linear = wanted_spread[:, None] * moved / spread
    logs = scenarios.to_kind("log")
    returns = logs.returns @ linear.T + (wanted_mean - linear @ own_mean) / horizon
    stored = {name: np.asarray(value).tolist() for name, value in targets.items() if value is not None}
    result = ScenarioSet(
        returns,
        assets=scenarios.assets,
        kind="log",
        probabilities=scenarios.probabilities,
        asof=scenarios.asof,
        provenance={**scenarios.provenance, "matched_moments": stored},
    )
    return result.to_kind(scenarios.kind)
