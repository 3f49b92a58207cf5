"""Numbers of a fan chart: quantiles, a few scenarios and the realised path of one buy-and-hold portfolio."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
N_EXAMPLES = 5


class FanNumbers(NamedTuple):
    """Cumulated simple returns, decimals; entry 0 along time is the as-of date."""

    quantiles: NDArray[np.float64]
    """Shape (level, horizon + 1), at `LEVELS`."""
    examples: NDArray[np.float64]
    """Shape (example, horizon + 1): the first scenarios, not chosen ones."""
    realised: NDArray[np.float64] | None
    """Shape (up to horizon + 1): what happened, where later data exist."""


def _from_zero(paths: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([np.zeros((len(paths), 1)), paths], axis=1)


def panel_growth(panel: ReturnPanel) -> NDArray[np.float64]:
    """Gross growth since before the first date, shape (date, asset)."""
    return np.asarray(np.cumprod(1.0 + panel.to_kind("simple").values, axis=0), dtype=np.float64)


def fan_numbers(scenarios: ScenarioSet, weights: NDArray[np.float64], *, test: ReturnPanel | None) -> FanNumbers:
    """Fan of the portfolio that buys ``weights`` at the as-of date and holds.

    Parameters
    ----------
    scenarios : ScenarioSet
        Its probabilities are used in the quantiles.
    weights : ndarray of shape (asset,)
        Fractions of initial wealth; a unit vector gives one asset. The rest is cash without interest.
    test : ReturnPanel, optional
        Returns after the as-of date.

    Returns
    -------
    FanNumbers

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]], [[0.2]]], assets=["A"], kind="simple")
    >>> fan_numbers(s, np.array([1.0]), test=None).quantiles[3].round(3).tolist()
    [0.0, 0.1]
    """
    paths = (scenarios.growth() - 1.0) @ weights
    quantiles = np.quantile(paths, LEVELS, axis=0, weights=scenarios.weights, method="inverted_cdf")
    realised = None
    if test is not None:
        grown = panel_growth(test)[: scenarios.horizon] - 1.0
        realised = np.concatenate([[0.0], grown @ weights])
    return FanNumbers(_from_zero(quantiles), _from_zero(paths[:N_EXAMPLES]), realised)
