"""Risk measures as objects: one states itself to a solver and evaluates itself in numpy.

The two sides share nothing but the definition, so the risk reported by an optimiser can be checked
against the same measure recomputed from its weights. Measures of drawdown are in `portfolio.drawdown`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, final, runtime_checkable

import cvxpy as cp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from portfolio.asset_vector import AssetValues, asset_vector, owned_values
from portfolio.decision_model import DecisionModel
from portfolio.moments import HorizonMoments
from portfolio.outlook import Outlook, outlook_of
from portfolio.tail_risk import check_level, cvar_law, evar_law
from portfolio.wealth import WealthConvention, wealth_paths
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet


@runtime_checkable
class RiskMeasure(Protocol):
    """Convex function of the weights, homogeneous of degree ``degree`` in the position it looks at."""

    degree: ClassVar[int]

    def value(self, weights: NDArray[np.float64], outlook: Outlook) -> float:
        """The measure in numpy, without a solver."""
        ...

    def gradient(self, weights: NDArray[np.float64], outlook: Outlook) -> NDArray[np.float64]:
        """A subgradient with respect to the weights, shape (asset,)."""
        ...

    def expression(self, model: DecisionModel) -> cp.Expression:
        """The measure in the model's variables, definitions added to the model."""
        ...


@runtime_checkable
class PathRisk(Protocol):
    """Measure that needs nothing but wealth paths and their probabilities."""

    def of_wealth(self, wealth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
        """The measure of wealth of shape (scenario, time) that starts at 1."""
        ...


@final
@dataclass(frozen=True)
class Variance:
    """Variance of the return over the horizon, ``w' Sigma w``.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> round(evaluate_risk([1.0], s, Variance()), 6)
    0.01
    """

    degree: ClassVar[int] = 2

    def value(self, weights: NDArray[np.float64], outlook: Outlook) -> float:
        """The measure in numpy, without a solver."""
        return max(float(weights @ outlook.moments.covariance @ weights), 0.0)

    def gradient(self, weights: NDArray[np.float64], outlook: Outlook) -> NDArray[np.float64]:
        """Gradient with respect to the weights, shape (asset,)."""
        return 2.0 * outlook.moments.covariance @ weights

    def expression(self, model: DecisionModel) -> cp.Expression:
        """The measure in the model's variables; the worst case where the covariance is uncertain."""
        moments = model.outlook("a variance").moments
        if model.context.covariance_box is not None:
            return model.context.covariance_box.worst_variance(model)
        factor = moments.factor()
        if not factor.shape[1]:
            return cp.Constant(0.0)
        size = float(np.sqrt(np.diag(moments.covariance).max()))
        return model.sum_of_squares(factor.T @ model.weights, size)


@final
@dataclass(frozen=True)
class Volatility:
    """Standard deviation of the return over the horizon, not annualised.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> round(evaluate_risk([1.0], s, Volatility()), 6)
    0.1
    """

    degree: ClassVar[int] = 1

    def value(self, weights: NDArray[np.float64], outlook: Outlook) -> float:
        """The measure in numpy, without a solver."""
        return float(np.sqrt(Variance().value(weights, outlook)))

    def gradient(self, weights: NDArray[np.float64], outlook: Outlook) -> NDArray[np.float64]:
        """Gradient with respect to the weights, shape (asset,); zero where there is no risk."""
        deviation = self.value(weights, outlook)
        return outlook.moments.covariance @ weights / (deviation if deviation > 0 else 1.0)

    def expression(self, model: DecisionModel) -> cp.Expression:
        """The measure in the model's variables; the worst case where the covariance is uncertain."""
        if model.context.covariance_box is not None:
            return model.context.covariance_box.worst_volatility(model)
        factor = model.outlook("a volatility").moments.factor()
        return model.norm(factor.T @ model.weights) if factor.shape[1] else cp.Constant(0.0)


@final
@dataclass(frozen=True)
class TrackingError:
    """Standard deviation of the difference of returns to a benchmark portfolio, over the horizon.

    Parameters
    ----------
    benchmark : mapping or Series of asset to float
        Weights of the benchmark; must name every asset of the problem.

    Raises
    ------
    DataError
        If a weight is missing, or the names are not those of the problem.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1, 0.0]], [[-0.1, 0.0]]], assets=["A", "B"], kind="simple")
    >>> round(evaluate_risk([0.6, 0.4], s, TrackingError({"A": 0.5, "B": 0.5})), 6)
    0.01
    """

    benchmark: Mapping[str, float] | pd.Series
    degree: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not isinstance(self.benchmark, (Mapping, pd.Series)):
            raise ConfigError(f"benchmark must be a mapping or Series of asset to weight: got {self.benchmark!r}.")
        object.__setattr__(self, "benchmark", owned_values(self.benchmark, what="benchmark weights"))

    def active(self, weights: NDArray[np.float64], assets: tuple[str, ...]) -> NDArray[np.float64]:
        """Weights less those of the benchmark, shape (asset,)."""
        return weights - asset_vector(self.benchmark, assets, what="benchmark weights")

    def value(self, weights: NDArray[np.float64], outlook: Outlook) -> float:
        """The measure in numpy, without a solver."""
        return Volatility().value(self.active(weights, outlook.assets), outlook)

    def gradient(self, weights: NDArray[np.float64], outlook: Outlook) -> NDArray[np.float64]:
        """Gradient with respect to the weights, shape (asset,)."""
        return Volatility().gradient(self.active(weights, outlook.assets), outlook)

    def expression(self, model: DecisionModel) -> cp.Expression:
        """The measure in the model's variables."""
        factor = model.outlook("a tracking error").moments.factor()
        benchmark = asset_vector(self.benchmark, model.assets, what="benchmark weights")
        return model.norm(factor.T @ (model.weights - benchmark)) if factor.shape[1] else cp.Constant(0.0)


@final
@dataclass(frozen=True)
class ConditionalValueAtRisk:
    """Mean loss in the worst ``1 - level`` of the scenarios, at the end of the horizon.

    Parameters
    ----------
    level : float
        Strictly between 0 and 1: 0.95 looks at the worst 5 %.

    Raises
    ------
    ConfigError
        If the level is out of range.

    References
    ----------
    Rockafellar and Uryasev (2000), "Optimization of conditional value-at-risk", equation 17.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1]], [[-0.1]], [[-0.3]]], assets=["A"], kind="simple")
    >>> round(evaluate_risk([1.0], s, ConditionalValueAtRisk(0.5)), 6)
    0.233333
    """

    level: float = 0.95
    degree: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", check_level(self.level))

    def of_wealth(self, wealth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
        """The measure of wealth of shape (scenario, time) that starts at 1."""
        losses = 1.0 - wealth[:, -1]
        return float(cvar_law(losses, probabilities, self.level) @ losses)

    def value(self, weights: NDArray[np.float64], outlook: Outlook) -> float:
        """The measure in numpy, without a solver."""
        paths = outlook.scenario_wealth("CVaR")
        return self.of_wealth(paths.paths(weights), paths.probabilities)

    def gradient(self, weights: NDArray[np.float64], outlook: Outlook) -> NDArray[np.float64]:
        """A subgradient: minus the mean gain of each asset in the tail."""
        paths = outlook.scenario_wealth("CVaR")
        return -cvar_law(-paths.outcomes @ weights, paths.probabilities, self.level) @ paths.outcomes

    def expression(self, model: DecisionModel) -> cp.Expression:
        """``z + E(L - z)^+ / (1 - level)``, minimal over z."""
        paths = model.outlook("CVaR").scenario_wealth("CVaR")
        quantile, excess = cp.Variable(name="quantile"), cp.Variable(len(paths.probabilities), name="excess")
        model.definitions += [-excess <= 0.0, -(paths.outcomes @ model.weights) - quantile <= excess]
        return quantile + (paths.probabilities / (1.0 - self.level)) @ excess


@final
@dataclass(frozen=True)
class EntropicValueAtRisk:
    """Tightest exponential upper bound of CVaR, see `portfolio.tail_risk.entropic_value_at_risk`.

    Parameters
    ----------
    level : float
        Strictly between 0 and 1.

    Raises
    ------
    ConfigError
        If the level is out of range.

    References
    ----------
    Ahmadi-Javid (2012), "Entropic value-at-risk: a new coherent risk measure". Cajas (2021), "Entropic
    portfolio optimization: a disciplined convex programming framework", equation 11 (exponential cones).

    Examples
    --------
    >>> s = ScenarioSet([[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> round(evaluate_risk([1.0], s, EntropicValueAtRisk(0.5)), 6)
    0.1
    """

    level: float = 0.95
    degree: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", check_level(self.level))

    def of_wealth(self, wealth: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
        """The measure of wealth of shape (scenario, time) that starts at 1."""
        losses = 1.0 - wealth[:, -1]
        return float(evar_law(losses, probabilities, self.level) @ losses)

    def value(self, weights: NDArray[np.float64], outlook: Outlook) -> float:
        """The measure in numpy, without a solver."""
        paths = outlook.scenario_wealth("EVaR")
        return self.of_wealth(paths.paths(weights), paths.probabilities)

    def gradient(self, weights: NDArray[np.float64], outlook: Outlook) -> NDArray[np.float64]:
        """A subgradient: minus the mean gain of each asset under the tilted law."""
        paths = outlook.scenario_wealth("EVaR")
        return -evar_law(-paths.outcomes @ weights, paths.probabilities, self.level) @ paths.outcomes

    def expression(self, model: DecisionModel) -> cp.Expression:
        """``x - t ln(1 - level)`` with ``sum_s t exp((L_s - x)/t + ln p_s) <= t``, minimal over x and t."""
        outlook = model.outlook("EVaR")
        paths = outlook.scenario_wealth("EVaR")
        n = len(paths.probabilities)
        # in units of a typical loss every entry of the cones is of order one; without, the solver may give up
        unit = float(np.sqrt(np.diag(outlook.moments.covariance).max())) or 1.0
        shift, temperature = cp.Variable(name="shift"), cp.Variable(name="temperature")
        mass = cp.Variable(n, name="mass")
        losses = -(paths.outcomes / unit) @ model.weights
        model.definitions += [
            # probabilities inside the cones: all masses are then of one size, which the solver needs
            cp.ExpCone(losses - shift + np.log(paths.probabilities) * temperature, temperature * np.ones(n), mass),
            cp.sum(mass) <= temperature,
        ]
        return unit * shift - unit * np.log1p(-self.level) * temperature


def evaluate_risk(
    weights: AssetValues,
    scenarios: ScenarioSet | HorizonMoments,
    measure: RiskMeasure,
    *,
    wealth: WealthConvention = "buy_and_hold",
) -> float:
    """A risk measure of given weights, in numpy and with scenario probabilities.

    Parameters
    ----------
    weights : Series, mapping or array of shape (asset,)
        Matched by name.
    scenarios : ScenarioSet or HorizonMoments
        Moments alone are enough for `Variance`, `Volatility` and `TrackingError`.
    measure : RiskMeasure
    wealth : {"buy_and_hold", "rebalanced", "rebalanced_compounded"}
        See `portfolio.wealth`. The last one only for measures of wealth paths (CVaR, EVaR, drawdowns).

    Returns
    -------
    float
        Decimals of initial wealth over the horizon; losses positive.

    Raises
    ------
    ConfigError
        If ``measure`` is not a measure, or does not go with the input or the convention.
    DataError, ShapeError
        If weights do not match the assets.

    Examples
    --------
    >>> s = ScenarioSet([[[0.1], [-0.2]], [[0.0], [0.0]]], assets=["A"], kind="simple")
    >>> round(evaluate_risk({"A": 1.0}, s, ConditionalValueAtRisk(0.5), wealth="rebalanced"), 6)
    0.1
    """
    if isinstance(measure, type) or not isinstance(measure, RiskMeasure):
        raise ConfigError(
            f"measure must be a risk measure such as Volatility() or ConditionalValueAtRisk(): got {measure!r}."
        )
    if wealth == "rebalanced_compounded" and isinstance(scenarios, ScenarioSet) and isinstance(measure, PathRisk):
        possible = scenarios.weights > 0
        return measure.of_wealth(wealth_paths(weights, scenarios, wealth=wealth)[possible], scenarios.weights[possible])
    outlook = outlook_of(scenarios, wealth)  # pyright: ignore[reportArgumentType]  (refuses the convention itself)
    return measure.value(asset_vector(weights, outlook.assets, what="weights"), outlook)
