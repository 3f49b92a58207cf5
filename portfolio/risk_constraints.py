"""Limits on risk and return: risk budgets, tracking error, least return, drawdown relative to the peak."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import cvxpy as cp
import numpy as np
import pandas as pd
from cvxpy.constraints.nonpos import Inequality

from portfolio.constraints import finite_number
from portfolio.decision_model import DecisionModel, NamedLimit
from portfolio.risk_measures import RiskMeasure, TrackingError, Variance, Volatility
from tsgen.errors import ConfigError


@final
@dataclass(frozen=True)
class RiskBudget:
    """Largest value of a risk measure, ``measure(w) <= maximum``.

    Parameters
    ----------
    measure : RiskMeasure
        For example ``ConditionalValueAtRisk(0.95)`` or ``MaximumDrawdownCVaR(0.9)``.
    maximum : float
        Decimals of initial wealth over the horizon (squared for `Variance`).

    Raises
    ------
    ConfigError
        If ``measure`` is not a measure or ``maximum`` not a finite number.

    Examples
    --------
    >>> from portfolio.risk_measures import ConditionalValueAtRisk
    >>> RiskBudget(ConditionalValueAtRisk(0.95), 0.1)
    RiskBudget(measure=ConditionalValueAtRisk(level=0.95), maximum=0.1)
    """

    measure: RiskMeasure
    maximum: float

    def __post_init__(self) -> None:
        if isinstance(self.measure, type) or not isinstance(self.measure, RiskMeasure):
            raise ConfigError(f"measure must be a risk measure such as ConditionalValueAtRisk(): got {self.measure!r}.")
        object.__setattr__(self, "maximum", finite_number(self.maximum, "maximum risk"))

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One inequality."""
        if isinstance(self.measure, Variance) and self.maximum > 0:
            # sigma^2 <= m as 2 sqrt(m) sigma <= 2 m: the same set and the same multiplier, but better numbers
            deviation = model.risk(Volatility())
            held = Inequality(2.0 * np.sqrt(self.maximum) * deviation, cp.Constant(2.0 * self.maximum))
        else:
            held = Inequality(model.risk(self.measure), cp.Constant(self.maximum))
        return [NamedLimit(name=f"RiskBudget {self.measure!r} at most {self.maximum:g}", constraint=held)]


@final
@dataclass(frozen=True)
class TrackingErrorLimit:
    """Largest standard deviation of the return difference to a benchmark portfolio, over the horizon.

    Parameters
    ----------
    benchmark : mapping or Series of asset to float
        Weights of the benchmark; must name every asset.
    maximum : float
        Decimals over the horizon, not annualised.

    Raises
    ------
    ConfigError
        If ``maximum`` is negative or not finite.
    DataError
        If a weight is missing, or the names are not those of the problem.

    Examples
    --------
    >>> TrackingErrorLimit({"A": 0.5, "B": 0.5}, 0.02).maximum
    0.02
    """

    benchmark: Mapping[str, float] | pd.Series
    maximum: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "benchmark", TrackingError(self.benchmark).benchmark)
        maximum = finite_number(self.maximum, "maximum tracking error")
        if maximum < 0:
            raise ConfigError(f"maximum tracking error must not be negative: got {maximum:g}.")
        object.__setattr__(self, "maximum", maximum)

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One inequality on the norm of the active weights."""
        held = Inequality(model.risk(TrackingError(self.benchmark)), cp.Constant(self.maximum))
        return [NamedLimit(name=f"TrackingErrorLimit {self.maximum:g}", constraint=held)]


@final
@dataclass(frozen=True)
class MinimumReturn:
    """Least expected return after costs (the worst one, where the mean is uncertain), over the horizon.

    Parameters
    ----------
    minimum : float
        Decimals.

    Raises
    ------
    ConfigError
        If ``minimum`` is not a finite number.

    Examples
    --------
    >>> MinimumReturn(0.01)
    MinimumReturn(minimum=0.01)
    """

    minimum: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "minimum", finite_number(self.minimum, "minimum return"))

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One inequality."""
        held = Inequality(-model.net_return(), cp.Constant(-self.minimum))
        return [NamedLimit(name=f"MinimumReturn {self.minimum:g}", constraint=held)]


@final
@dataclass(frozen=True)
class RelativeDrawdownLimit:
    r"""Wealth never falls by more than a fraction of its running peak, on any path of positive probability.

    :math:`W_{st} \ge (1 - d) \max_{u \le t} W_{su}`, the start included. For wealth that is linear in the
    weights (both conventions that can be optimised) this is a set of linear inequalities, hence convex.

    Parameters
    ----------
    maximum : float
        The fraction d, at least 0 and below 1.

    Raises
    ------
    ConfigError
        If ``maximum`` is out of range.

    Examples
    --------
    >>> RelativeDrawdownLimit(0.2)
    RelativeDrawdownLimit(maximum=0.2)
    """

    maximum: float

    def __post_init__(self) -> None:
        maximum = finite_number(self.maximum, "maximum relative drawdown")
        if not 0.0 <= maximum < 1.0:
            raise ConfigError(f"maximum relative drawdown must be at least 0 and below 1: got {maximum:g}.")
        object.__setattr__(self, "maximum", maximum)

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One inequality on the worst breach over all paths and times."""
        paths = model.outlook("a drawdown").scenario_wealth("a drawdown")
        gains = paths.gains.reshape(-1, len(model.assets))
        breach = cp.Variable(name="breach")
        # the peak is W + D, so D <= d (W + D) is (1 - d) D - d W <= 0
        d = self.maximum
        model.definitions.append((1.0 - d) * model.drawdowns() - d * (gains @ model.weights) - d <= breach)
        held = Inequality(breach, cp.Constant(np.float64(0.0)))
        return [NamedLimit(name=f"RelativeDrawdownLimit {d:g}", constraint=held)]
