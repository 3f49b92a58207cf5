"""Limits on weights and trades, as small frozen objects that name themselves.

A constraint says what it demands; `named_limits` translates it for a `DecisionModel`. Adding a new
one means one class with ``named_limits(model)``; nothing else has to know it. Here are the basic
ones; exposures, risk limits and the number of assets have files of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import cvxpy as cp
import numpy as np
import pandas as pd
from cvxpy.constraints.nonpos import Inequality
from cvxpy.constraints.zero import Equality
from numpy.typing import NDArray

from portfolio.asset_vector import asset_vector, owned_values
from portfolio.decision_model import DecisionModel, NamedLimit
from tsgen.errors import ConfigError, DataError


@runtime_checkable
class Constraint(Protocol):
    """Anything that can state itself as named limits on a `DecisionModel`."""

    def named_limits(self, model: DecisionModel) -> Sequence[NamedLimit]:
        """The limits, in terms of the model's variables."""
        ...


def finite_number(value: float, what: str) -> float:
    """The value as float; raises `ConfigError` naming ``what`` unless it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        raise ConfigError(f"{what} must be a finite number: got {value!r}.")
    return float(value)


@final
@dataclass(frozen=True)
class Bounds:
    """Smallest and largest weight of each asset, ``lower <= w <= upper``.

    Parameters
    ----------
    lower, upper : float, or mapping or Series of asset to float
        Fractions of wealth. One number holds for all assets; a mapping must name every asset.
        ``-inf`` and ``inf`` mean no limit: ``Bounds(-np.inf, np.inf)`` allows any long and short position.

    Raises
    ------
    ConfigError
        If a lower bound exceeds its upper bound, or no weight can satisfy it.
    DataError
        If a number is missing, or a mapping does not name exactly the assets of the problem.

    Examples
    --------
    >>> Bounds(upper=0.2)
    Bounds(lower=0.0, upper=0.2)
    """

    lower: float | Mapping[str, float] | pd.Series = 0.0
    upper: float | Mapping[str, float] | pd.Series = 1.0

    def __post_init__(self) -> None:
        for side, absurd in (("lower", np.inf), ("upper", -np.inf)):
            value = owned_values(getattr(self, side), what=f"{side} bounds")
            object.__setattr__(self, side, value)
            if absurd in (value.values() if isinstance(value, dict) else [value]):
                raise ConfigError(f"{side} bounds must not be {absurd}: no weight satisfies that.")
        if isinstance(self.lower, float) and isinstance(self.upper, float) and self.lower > self.upper:
            raise ConfigError(f"lower must not exceed upper: got lower={self.lower:g}, upper={self.upper:g}.")

    def arrays(self, assets: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper bounds in the order of ``assets``, each of shape (asset,)."""
        lower = asset_vector(self.lower, assets, what="lower bounds", scalar=True, infinite=True)
        upper = asset_vector(self.upper, assets, what="upper bounds", scalar=True, infinite=True)
        if (lower > upper).any():
            crossed = [asset for asset, low, high in zip(assets, lower, upper, strict=True) if low > high]
            raise ConfigError(f"lower bounds must not exceed upper bounds: they do for {', '.join(crossed)}.")
        return lower, upper

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One limit per side, as far as it is finite."""
        limits = []
        for side, values in zip(("lower", "upper"), self.arrays(model.assets), strict=True):
            index = np.flatnonzero(np.isfinite(values))
            if not len(index):
                continue
            sign = 1.0 if side == "upper" else -1.0
            own = getattr(self, side)
            name = f"Bounds {side} {own:g}" if isinstance(own, float) else f"Bounds {side}"
            whole = Inequality(sign * model.weights[index.tolist()], cp.Constant(sign * values[index]))
            limits.append(NamedLimit(name=name, constraint=whole, rows=tuple(model.assets[i] for i in index)))
        return limits


@final
@dataclass(frozen=True)
class Budget:
    """Sum of all weights, ``sum_i w_i = total``; the rest, ``1 - total``, is cash that earns nothing.

    Parameters
    ----------
    total : float
        Fraction of wealth: 1 is fully invested, 0 is dollar neutral.

    Raises
    ------
    ConfigError
        If ``total`` is not a finite number.

    Examples
    --------
    >>> Budget()
    Budget(total=1.0)
    """

    total: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", finite_number(self.total, "total"))

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One equality."""
        whole = Equality(cp.sum(model.weights), cp.Constant(self.total))
        return [NamedLimit(name=f"Budget total {self.total:g}", constraint=whole)]


@final
@dataclass(frozen=True)
class GroupLimit:
    """Smallest and largest total weight of a group, ``lower <= sum_{i in members} w_i <= upper``.

    Parameters
    ----------
    members : iterable of str
        Assets of the group, each once.
    lower, upper : float, optional
        Fractions of wealth; at least one must be given.
    name : str, optional
        Shown in errors and duals; by default the members.

    Raises
    ------
    ConfigError
        If the group is empty or repeats an asset, no limit is given, or they cross.
    DataError
        When optimising, if a member is not an asset of the problem.

    Examples
    --------
    >>> GroupLimit(["AAPL", "MSFT"], upper=0.3, name="tech").members
    ('AAPL', 'MSFT')
    """

    members: tuple[str, ...]
    lower: float | None = None
    upper: float | None = None
    name: str = ""

    def __init__(
        self, members: Iterable[str], lower: float | None = None, upper: float | None = None, name: str = ""
    ) -> None:
        names = (members,) if isinstance(members, str) else tuple(str(member) for member in members)
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"members must name at least one asset, each once: got {names}.")
        label = name or "+".join(names)
        if lower is None and upper is None:
            raise ConfigError(f"group {label!r} needs a lower or an upper limit: got none.")
        low = None if lower is None else finite_number(lower, f"lower limit of group {label!r}")
        high = None if upper is None else finite_number(upper, f"upper limit of group {label!r}")
        if low is not None and high is not None and low > high:
            raise ConfigError(f"lower must not exceed upper in group {label!r}: got lower={low:g}, upper={high:g}.")
        for field, value in zip(("members", "lower", "upper", "name"), (names, low, high, label), strict=True):
            object.__setattr__(self, field, value)

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One inequality per side given."""
        unknown = [member for member in self.members if member not in model.assets]
        if unknown:
            raise DataError(
                f"group {self.name!r} has members that are not assets of the problem: {', '.join(unknown)}. "
                f"The assets are {', '.join(model.assets)}."
            )
        total = cp.sum(model.weights[[model.assets.index(member) for member in self.members]])
        limits = []
        if self.lower is not None:
            low = Inequality(-total, cp.Constant(-self.lower))
            limits.append(NamedLimit(name=f"GroupLimit {self.name!r} lower {self.lower:g}", constraint=low))
        if self.upper is not None:
            high = Inequality(total, cp.Constant(self.upper))
            limits.append(NamedLimit(name=f"GroupLimit {self.name!r} upper {self.upper:g}", constraint=high))
        return limits


@final
@dataclass(frozen=True)
class TurnoverLimit:
    """Largest total turnover, ``sum_i |w_i - previous_i| <= maximum``.

    Parameters
    ----------
    maximum : float
        Fraction of wealth, buys plus sells: 2 allows a fully invested portfolio to be exchanged completely.

    Raises
    ------
    ConfigError
        If ``maximum`` is negative or not finite; when optimising, if no previous weights are given.

    Examples
    --------
    >>> TurnoverLimit(0.1)
    TurnoverLimit(maximum=0.1)
    """

    maximum: float

    def __post_init__(self) -> None:
        maximum = finite_number(self.maximum, "maximum turnover")
        if maximum < 0:
            raise ConfigError(f"maximum turnover must not be negative: got {maximum:g}.")
        object.__setattr__(self, "maximum", maximum)

    def named_limits(self, model: DecisionModel) -> list[NamedLimit]:
        """One inequality on the sum of the trade sizes."""
        if model.previous is None:
            raise ConfigError(
                "TurnoverLimit needs the weights held before: pass previous=..., a Series of weights by asset "
                "(zeros if you hold only cash)."
            )
        traded = Inequality(cp.sum(model.trade_sizes()), cp.Constant(self.maximum))
        return [NamedLimit(name=f"TurnoverLimit {self.maximum:g}", constraint=traded)]
