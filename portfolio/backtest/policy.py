"""What a policy is: past in, weights out. One call, one decision.

A policy is an object with ``decide(past, *, previous, seed)`` or a callable with the same arguments (those
it does not name are not passed). It returns weights for exactly ``past.assets``, or ``None`` to hold.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from portfolio.allocation import Allocation
from portfolio.backtest.past_view import PastView
from tsgen.errors import ConfigError

Weights = Allocation | pd.Series | Mapping[str, float] | None


@runtime_checkable
class Policy(Protocol):
    """A rule that turns what is known at a close into target weights.

    Notes
    -----
    For results that do not depend on the number of workers or on interruptions, a decision must be a function of
    its arguments alone: randomness from ``seed``, which the backtest derives from its own seed and the date.
    """

    def decide(self, past: PastView, *, previous: pd.Series, seed: int) -> Weights:
        """Target weights.

        Parameters
        ----------
        past : PastView
            Returns up to and including the decision date.
        previous : Series, index ``past.assets``
            Weights held at this close, after trades that were due at it; what is missing to 1 is cash.
        seed : int
            Of this decision.

        Returns
        -------
        Allocation, Series, mapping or None
            Fractions of wealth for exactly ``past.assets``; the rest is cash. ``None`` holds the positions.
        """
        ...


PolicyLike = Policy | Callable[..., Weights]


def decide_with(policy: PolicyLike, past: PastView, *, previous: pd.Series, seed: int) -> Weights:
    """Ask a policy object or a callable for its decision, with the arguments it takes.

    Raises
    ------
    ConfigError
        If it is neither, or needs arguments of other names.

    Examples
    --------
    >>> from tsgen.marketdata import ReturnPanel
    >>> panel = ReturnPanel(pd.DataFrame({"A": [0.01]}, index=pd.DatetimeIndex(["2024-01-01"])), kind="simple")
    >>> past = PastView(panel=panel, date=panel.dates[-1])
    >>> decide_with(lambda past: {"A": 0.5}, past, previous=pd.Series({"A": 0.0}), seed=0)
    {'A': 0.5}
    """
    function = decision_function(policy)
    offered: dict[str, Any] = {"previous": previous, "seed": seed}
    accepted = _keywords(function, offered)
    return function(past, **{name: offered[name] for name in accepted})


def decision_function(policy: PolicyLike) -> Callable[..., Weights]:
    """The callable behind a policy.

    Raises
    ------
    ConfigError
        If the object is no policy, or is a class instead of an instance.
    """
    if not isinstance(policy, type):
        if isinstance(policy, Policy):
            return policy.decide
        if callable(policy):
            return policy
    raise ConfigError(
        "a policy must be an object with decide(past, *, previous, seed) or a callable with these arguments: got "
        f"{policy!r}. For example EqualWeightPolicy()."
    )


def _keywords(function: Callable[..., Weights], offered: dict[str, Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some compiled callables have no signature
        return list(offered)
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return list(offered)
    first, *rest = [p for p in parameters if p.kind is not p.VAR_POSITIONAL] or [None]
    unknown = [p.name for p in rest if p is not None and p.default is p.empty and p.name not in offered]
    if first is None or unknown:
        raise ConfigError(
            f"a policy takes (past, *, previous, seed): this one {'takes nothing' if first is None else 'also needs'} "
            f"{', '.join(unknown)}. Fix them with functools.partial."
        )
    return [p.name for p in rest if p is not None and p.name in offered]
