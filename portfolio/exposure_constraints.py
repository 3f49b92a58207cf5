"""Limits on exposures: to factors, gross and net leverage, and on the trade in each asset."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import cvxpy as cp
import numpy as np
import pandas as pd
from cvxpy.constraints.nonpos import Inequality

from portfolio.asset_vector import asset_vector, owned_values
from portfolio.constraints import finite_number
from portfolio.decision_model import DecisionModel, NamedLimit
from tsgen.errors import ConfigError


def _two_sides(expression: cp.Expression, lower: float | None, upper: float | None, name: str) -> list[NamedLimit]:
    limits = []
    if lower is not None:
        low = Inequality(-expression, cp.Constant(-lower))
        limits.append(NamedLimit(name=f"{name} lower {lower:g}", constraint=low))
    if upper is not None:
        high = Inequality(expression, cp.Constant(upper))
        limits.append(NamedLimit(name=f"{name} upper {upper:g}", constraint=high))
    return limits


def _checked_sides(lower: float | None, upper: float | None, what: str) -> tuple[float | None, float | None]:
    if lower is None and upper is None:
        raise ConfigError(f"{what} needs a lower or an upper limit: got none.")
    low = None if lower is None else finite_number(lower, f"lower limit of {what}")
    high = None if upper is None else finite_number(upper, f"upper limit of {what}")
    if low is not None and high is not None and low > high:
        raise ConfigError(f"lower must not exceed upper in {what}: got lower={low:g}, upper={high:g}.")
    return low, high


@final
@dataclass(frozen=True)
class FactorExposure:
    """Smallest and largest exposure to a factor, ``lower <= sum_i loading_i w_i <= upper``.

    Parameters
    ----------
    loadings : mapping or Series of asset to float
        Sensitivity of each asset to the factor (a beta, a style score); must name every asset.
    lower, upper : float, optional
        In units of the loadings; at least one must be given. Equal ones fix the exposure.
    name : str
        Shown in errors and duals.

    Raises
    ------
    ConfigError
        If no limit is given, or they cross.
    DataError
        If a loading is missing, or the names are not those of the problem.

    Examples
    --------
    >>> FactorExposure({"A": 1.2, "B": 0.7}, upper=1.0, name="market").upper
    1.0
    """

    loadings: Mapping[str, float] | pd.Series
    lower: float | None = None
    upper: float | None = None
    name: str = "factor"

    def __post_init__(self) -> None:
        if not isinstance(self.loadings, (Mapping, pd.Series)):
            raise ConfigError(f"loadings must be a mapping or Series of asset to loading: got {self.loadings!r}.")
        lower, upper = _checked_sides(self.lower, self.upper, f"the exposure to {self.name!r}")
        loadings = owned_values(self.loadings, what=f"loadings of {self.name!r}")
        for field, value in (("loadings", loadings), ("lower", lower), ("upper", upper)):
            object.__setattr__(self, field, value)

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One inequality per side given."""
        loadings = asset_vector(self.loadings, model.assets, what=f"loadings of {self.name!r}")
        return _two_sides(loadings @ model.weights, self.lower, self.upper, f"FactorExposure {self.name!r}")


@final
@dataclass(frozen=True)
class NetLeverage:
    """Smallest and largest sum of weights, ``lower <= sum_i w_i <= upper``; the rest to 1 is cash.

    Takes the place of the default `Budget`.

    Parameters
    ----------
    lower, upper : float, optional
        Fractions of wealth; at least one must be given.

    Raises
    ------
    ConfigError
        If no limit is given, or they cross.

    Examples
    --------
    >>> NetLeverage(-0.1, 0.1)
    NetLeverage(lower=-0.1, upper=0.1)
    """

    lower: float | None = None
    upper: float | None = None

    def __post_init__(self) -> None:
        lower, upper = _checked_sides(self.lower, self.upper, "the net leverage")
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One inequality per side given."""
        return _two_sides(np.ones(len(model.assets)) @ model.weights, self.lower, self.upper, "NetLeverage")


@final
@dataclass(frozen=True)
class GrossLeverage:
    """Largest sum of absolute weights, ``sum_i |w_i| <= maximum``: 1.6 is a 130/30 portfolio.

    Parameters
    ----------
    maximum : float
        Fraction of wealth.

    Raises
    ------
    ConfigError
        If ``maximum`` is negative or not finite.

    Examples
    --------
    >>> GrossLeverage(1.6)
    GrossLeverage(maximum=1.6)
    """

    maximum: float

    def __post_init__(self) -> None:
        maximum = finite_number(self.maximum, "maximum gross leverage")
        if maximum < 0:
            raise ConfigError(f"maximum gross leverage must not be negative: got {maximum:g}.")
        object.__setattr__(self, "maximum", maximum)

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One inequality on the sum of the position sizes."""
        gross = Inequality(cp.sum(model.position_sizes()), cp.Constant(self.maximum))
        return [NamedLimit(name=f"GrossLeverage {self.maximum:g}", constraint=gross)]


@final
@dataclass(frozen=True)
class AssetTurnoverLimit:
    """Largest trade in each asset, ``|w_i - previous_i| <= maximum_i``.

    Parameters
    ----------
    maximum : float, or mapping or Series of asset to float
        Fractions of wealth; one number holds for all assets, ``inf`` means no limit.

    Raises
    ------
    ConfigError
        If a maximum is negative; when optimising, if no previous weights are given.
    DataError
        If a number is missing, or a mapping does not name exactly the assets of the problem.

    Examples
    --------
    >>> AssetTurnoverLimit(0.05)
    AssetTurnoverLimit(maximum=0.05)
    """

    maximum: float | Mapping[str, float] | pd.Series

    def __post_init__(self) -> None:
        maximum = owned_values(self.maximum, what="maximum trades")
        if min(maximum.values() if isinstance(maximum, dict) else [maximum]) < 0:
            raise ConfigError(f"maximum trades must not be negative: got {self.maximum!r}.")
        object.__setattr__(self, "maximum", maximum)

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One limit on buys and one on sells, a row per asset."""
        if model.previous is None:
            raise ConfigError(
                "AssetTurnoverLimit needs the weights held before: pass previous=..., a Series of weights by asset "
                "(zeros if you hold only cash)."
            )
        most = asset_vector(self.maximum, model.assets, what="maximum trades", scalar=True, infinite=True)
        index = np.flatnonzero(np.isfinite(most)).tolist()
        if not index:
            return []
        rows = tuple(model.assets[i] for i in index)
        own = f" {self.maximum:g}" if isinstance(self.maximum, float) else ""
        trade = model.weights[index] - model.start[index]
        return [
            NamedLimit(
                name=f"AssetTurnoverLimit{own} {side}",
                constraint=Inequality(sign * trade, cp.Constant(most[index])),
                rows=rows,
            )
            for side, sign in (("buy", 1.0), ("sell", -1.0))
        ]
