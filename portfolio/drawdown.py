"""Drawdown **per path**: average, CDaR, CVaR of the maximum, and hard maximum.

Every scenario is a path of its own that starts at its peak, wealth 1. Paths are never joined: the
result does not depend on their order. ``D_st = max_{u<=t} W_su - W_st``, decimals of initial wealth
(absolute, not relative to the running peak; for that see `RelativeDrawdownLimit`).
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol, final

import cvxpy as cp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from portfolio.decision_model import DecisionModel
from portfolio.outlook import Outlook
from portfolio.tail_risk import check_level, cvar_law
from tsgen.errors import ShapeError


def drawdowns(wealth: ArrayLike, *, relative: bool = False) -> NDArray[np.float64]:
    """Drawdown after each period of every path.

    Parameters
    ----------
    wealth : array of shape (scenario, time)
        Wealth after each period, starting from 1 (which is not an entry but counts as a peak).
    relative : bool
        As a fraction of the running peak instead of initial wealth.

    Returns
    -------
    ndarray of shape (scenario, time), float64
        Not negative.

    Raises
    ------
    ShapeError
        If wealth does not have two axes.

    Examples
    --------
    >>> drawdowns([[0.75, 1.5, 1.25]]).tolist()
    [[0.25, 0.0, 0.25]]
    """
    paths = np.asarray(wealth, dtype=np.float64)
    if paths.ndim != 2:
        raise ShapeError(f"wealth must have axes (scenario, time): got shape {paths.shape}.")
    peak = np.maximum(np.maximum.accumulate(paths, axis=1), 1.0)
    return (peak - paths) / peak if relative else peak - paths


class _TailOfDrawdowns(Protocol):
    def law(self, depth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]: ...


def _mean_depth(measure: _TailOfDrawdowns, wealth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
    depth = drawdowns(wealth)
    return float((measure.law(depth, probabilities) * depth).sum())


def _value(measure: _TailOfDrawdowns, weights: NDArray[np.float64], outlook: Outlook) -> float:
    paths = outlook.scenario_wealth("a drawdown")
    return _mean_depth(measure, paths.paths(weights), paths.probabilities)


def _gradient(measure: _TailOfDrawdowns, weights: NDArray[np.float64], outlook: Outlook) -> NDArray[np.float64]:
    """Mean over the law of (gain at the peak less gain now), asset by asset; the start has gain zero."""
    paths = outlook.scenario_wealth("a drawdown")
    wealth = paths.paths(weights)
    with_start = np.concatenate([np.ones((len(wealth), 1)), wealth], axis=1)
    running = np.maximum.accumulate(with_start, axis=1)
    risen = np.concatenate([np.ones((len(wealth), 1), dtype=bool), with_start[:, 1:] > running[:, :-1]], axis=1)
    peak = np.maximum.accumulate(np.where(risen, np.arange(with_start.shape[1]), 0), axis=1)[:, 1:]
    law = measure.law(drawdowns(wealth), paths.probabilities)
    gains = np.concatenate([np.zeros((len(wealth), 1, len(weights))), paths.gains], axis=1)
    at_peak = np.take_along_axis(gains, peak[:, :, None], axis=1)
    return np.einsum("st,sta->a", law, at_peak - paths.gains)


def _per_path(model: DecisionModel) -> tuple[NDArray[np.float64], int]:
    """Probabilities and the number of periods."""
    wealth = model.outlook("a drawdown").scenario_wealth("a drawdown")
    return wealth.probabilities, wealth.gains.shape[1]


@final
@dataclass(frozen=True)
class AverageDrawdown:
    """Drawdown averaged over time and, with probabilities, over paths.

    References
    ----------
    Chekhlov, Uryasev and Zabarankin (2005), "Drawdown measure in portfolio optimization", section 5 (multi-scenario).

    Examples
    --------
    >>> AverageDrawdown().of_wealth(np.array([[0.75, 1.25], [1.0, 1.0]]), np.array([0.5, 0.5]))
    0.0625
    """

    degree: ClassVar[int] = 1

    def law(self, depth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight of each (scenario, time); they sum to one."""
        return np.repeat(probabilities[:, None] / depth.shape[1], depth.shape[1], axis=1)

    def of_wealth(self, wealth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
        """The measure of wealth of shape (scenario, time) that starts at 1."""
        return _mean_depth(self, wealth, probabilities)

    def value(self, weights: NDArray[np.float64], outlook: Outlook) -> float:
        """The measure in numpy, without a solver."""
        return _value(self, weights, outlook)

    def gradient(self, weights: NDArray[np.float64], outlook: Outlook) -> NDArray[np.float64]:
        """A subgradient with respect to the weights, shape (asset,)."""
        return _gradient(self, weights, outlook)

    def expression(self, model: DecisionModel) -> cp.Expression:
        """The measure in the model's variables."""
        p, periods = _per_path(model)
        return np.repeat(p / periods, periods) @ model.drawdowns()


@final
@dataclass(frozen=True)
class ConditionalDrawdownAtRisk:
    """CDaR: mean of the deepest ``1 - level`` of all drawdowns, over paths and times together.

    Parameters
    ----------
    level : float
        Strictly between 0 and 1.

    Raises
    ------
    ConfigError
        If the level is out of range.

    Notes
    -----
    Drawdowns are measured on each path separately; their values of all paths and times, each with probability
    p_s / T, form the law of which the tail is taken.

    References
    ----------
    Chekhlov, Uryasev and Zabarankin (2005), "Drawdown measure in portfolio optimization", section 5 (multi-scenario).

    Examples
    --------
    >>> ConditionalDrawdownAtRisk(0.5).of_wealth(np.array([[0.75, 1.25], [1.0, 1.0]]), np.array([0.5, 0.5]))
    0.125
    """

    level: float = 0.95
    degree: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", check_level(self.level))

    def law(self, depth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight of each (scenario, time); they sum to one."""
        pooled = AverageDrawdown().law(depth, probabilities).ravel()
        return cvar_law(depth.ravel(), pooled, self.level).reshape(depth.shape)

    def of_wealth(self, wealth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
        """The measure of wealth of shape (scenario, time) that starts at 1."""
        return _mean_depth(self, wealth, probabilities)

    def value(self, weights: NDArray[np.float64], outlook: Outlook) -> float:
        """The measure in numpy, without a solver."""
        return _value(self, weights, outlook)

    def gradient(self, weights: NDArray[np.float64], outlook: Outlook) -> NDArray[np.float64]:
        """A subgradient with respect to the weights, shape (asset,)."""
        return _gradient(self, weights, outlook)

    def expression(self, model: DecisionModel) -> cp.Expression:
        """The measure in the model's variables."""
        p, periods = _per_path(model)
        depth = model.drawdowns()
        quantile, excess = cp.Variable(name="quantile"), cp.Variable(len(p) * periods, name="excess")
        model.definitions += [-excess <= 0.0, depth - quantile <= excess]
        return quantile + np.repeat(p / (periods * (1.0 - self.level)), periods) @ excess


@final
@dataclass(frozen=True)
class MaximumDrawdownCVaR:
    """CVaR of the maximum drawdown: mean of the worst ``1 - level`` of the paths' maximum drawdowns.

    Parameters
    ----------
    level : float
        Strictly between 0 and 1.

    Raises
    ------
    ConfigError
        If the level is out of range.

    Examples
    --------
    >>> MaximumDrawdownCVaR(0.5).of_wealth(np.array([[0.75, 1.25], [1.0, 1.0]]), np.array([0.5, 0.5]))
    0.25
    """

    level: float = 0.95
    degree: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", check_level(self.level))

    def law(self, depth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight of each (scenario, time), all on the deepest time of a path; they sum to one."""
        return _at_deepest(depth, cvar_law(depth.max(axis=1), probabilities, self.level))

    def of_wealth(self, wealth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
        """The measure of wealth of shape (scenario, time) that starts at 1."""
        return _mean_depth(self, wealth, probabilities)

    def value(self, weights: NDArray[np.float64], outlook: Outlook) -> float:
        """The measure in numpy, without a solver."""
        return _value(self, weights, outlook)

    def gradient(self, weights: NDArray[np.float64], outlook: Outlook) -> NDArray[np.float64]:
        """A subgradient with respect to the weights, shape (asset,)."""
        return _gradient(self, weights, outlook)

    def expression(self, model: DecisionModel) -> cp.Expression:
        """The measure in the model's variables."""
        p, periods = _per_path(model)
        depth = model.drawdowns()
        quantile, excess = cp.Variable(name="quantile"), cp.Variable(len(p), name="excess")
        model.definitions += [-excess <= 0.0, depth - quantile <= excess[np.repeat(np.arange(len(p)), periods)]]
        return quantile + (p / (1.0 - self.level)) @ excess


@final
@dataclass(frozen=True)
class MaximumDrawdown:
    """Hard maximum drawdown: the deepest on any path of positive probability.

    Examples
    --------
    >>> MaximumDrawdown().of_wealth(np.array([[0.75, 1.25], [1.0, 1.0]]), np.array([0.5, 0.5]))
    0.25
    """

    degree: ClassVar[int] = 1

    def law(self, depth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight one on the deepest (scenario, time) that is possible."""
        deepest = np.where(probabilities > 0, depth.max(axis=1), -np.inf)
        return _at_deepest(depth, (np.arange(len(depth)) == np.argmax(deepest)).astype(np.float64))

    def of_wealth(self, wealth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
        """The measure of wealth of shape (scenario, time) that starts at 1."""
        return _mean_depth(self, wealth, probabilities)

    def value(self, weights: NDArray[np.float64], outlook: Outlook) -> float:
        """The measure in numpy, without a solver."""
        return _value(self, weights, outlook)

    def gradient(self, weights: NDArray[np.float64], outlook: Outlook) -> NDArray[np.float64]:
        """A subgradient with respect to the weights, shape (asset,)."""
        return _gradient(self, weights, outlook)

    def expression(self, model: DecisionModel) -> cp.Expression:
        """The measure in the model's variables."""
        deepest = cp.Variable(name="deepest")
        model.definitions.append(model.drawdowns() - deepest <= 0.0)
        return deepest


def _at_deepest(depth: NDArray[np.float64], per_path: NDArray[np.float64]) -> NDArray[np.float64]:
    law = np.zeros_like(depth)
    np.put_along_axis(law, depth.argmax(axis=1)[:, None], per_path[:, None], axis=1)
    return law
