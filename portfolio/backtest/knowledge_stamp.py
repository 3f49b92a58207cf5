"""Decision stamps: what a component says about the latest date it has seen, and whether that is too late.

A generator that was trained on the test years makes any backtest look good, however careful the rest
is. Trained components therefore carry ``training_cutoff``, scenarios carry ``asof``; both are read here
by attribute, so that `portfolio` needs no generator. Also finds what a policy holds: its attributes, the
variables a function closes over, the arguments of a partial.
"""

import functools
import inspect
import types
from collections.abc import Iterator
from datetime import date as calendar_date
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from tsgen.errors import LookAheadError
from tsgen.marketdata import ReturnPanel
from tsgen.scenario_set import ScenarioSet

_DEPTH = 3
_OURS = ("portfolio", "tsgen")
_LEAVES = (pd.DataFrame, pd.Series, np.ndarray, ReturnPanel, ScenarioSet)
_PLAIN = (str, bytes, int, float, complex, bool, type(None), type, types.ModuleType, types.BuiltinFunctionType)


@runtime_checkable
class TrainedComponent(Protocol):
    """Anything that knows the last date it was trained on; ``None`` if it was not trained on dated data."""

    @property
    def training_cutoff(self) -> pd.Timestamp | None:
        """Last date whose data took part in training."""
        ...


def latest_knowledge(component: Any) -> tuple[str, pd.Timestamp] | None:
    """Name and value of the latest date a component says to have seen; ``None`` if it says nothing.

    Reads ``training_cutoff``, ``asof`` and, for scenarios, ``provenance["training_cutoff"]``.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.01]]], assets=["A"], kind="simple", asof="2020-01-31")
    >>> latest_knowledge(s)
    ('asof', Timestamp('2020-01-31 00:00:00'))
    """
    found = {name: _as_stamp(getattr(component, name, None)) for name in ("training_cutoff", "asof")}
    provenance = getattr(component, "provenance", None)
    if isinstance(component, ScenarioSet) and isinstance(provenance, dict):
        found["provenance['training_cutoff']"] = _as_stamp(provenance.get("training_cutoff"))
    stamps = [(name, stamp) for name, stamp in found.items() if stamp is not None]
    return max(stamps, key=lambda item: item[1]) if stamps else None


def refuse_future_knowledge(component: Any, date: pd.Timestamp, *, what: str) -> None:
    """Raise unless everything the component says to have seen is dated on or before the decision.

    Parameters
    ----------
    component : object
        Generator, scenario set or anything with ``training_cutoff`` or ``asof``.
    date : Timestamp
        Decision date.
    what : str
        Name of the component in the message.

    Raises
    ------
    LookAheadError
        If the stamp is later than the date.
    """
    known = latest_knowledge(component)
    if known is not None and known[1] > date:
        raise LookAheadError(
            f"{what} ({type(component).__name__}) has seen data up to {known[1].date()} ({known[0]}), after the "
            f"decision of {date.date()}. Train it on data up to the first decision date, start the backtest after "
            f"{known[1].date()}, or re-train on a schedule with ScenarioPolicy(fit=...)."
        )


def refuse_future_holdings(policy: Any, date: pd.Timestamp) -> None:
    """Raise if the policy holds a stamped component that has seen data after the decision date.

    Raises
    ------
    LookAheadError
        Naming the attribute or variable through which the policy holds it.
    """
    for name, component in held_objects(policy):
        refuse_future_knowledge(component, date, what=name)


def held_objects(policy: Any, *, containers: bool = False) -> Iterator[tuple[str, Any]]:
    """The policy and the objects it refers to by attribute, closure, global name, partial or bound method.

    Parameters
    ----------
    policy : object
    containers : bool
        Whether dictionaries, lists and tuples are searched. For stamps they are not: a policy may well keep one
        generator per training date in a dictionary, and use the right one.

    Yields
    ------
    tuple of str and object
        How it is reached, and the object.
    """
    seen: set[int] = set()
    stack: list[tuple[str, Any, int]] = [("policy", policy, 0)]
    while stack:
        name, thing, depth = stack.pop()
        if id(thing) in seen or isinstance(thing, _PLAIN):
            continue
        seen.add(id(thing))
        yield name, thing
        if depth < _DEPTH and not isinstance(thing, _LEAVES) and (depth == 0 or latest_knowledge(thing) is None):
            inner = _items(thing) if containers and isinstance(thing, (dict, list, tuple)) else _references(thing)
            stack.extend((f"{name}.{key}", value, depth + 1) for key, value in inner.items())


def _items(container: dict[Any, Any] | list[Any] | tuple[Any, ...]) -> dict[str, Any]:
    pairs = container.items() if isinstance(container, dict) else enumerate(container)
    return {f"[{key!r}]": value for key, value in pairs}


def _references(thing: Any) -> dict[str, Any]:
    if isinstance(thing, types.FunctionType):
        return {} if (thing.__module__ or "").split(".")[0] in _OURS else _closure(thing)
    if isinstance(thing, types.MethodType):
        return {"__self__": thing.__self__, "__func__": thing.__func__}
    if isinstance(thing, functools.partial):
        positional = {f"args[{i}]": value for i, value in enumerate(thing.args)}
        return {"func": thing.func, **positional, **thing.keywords}
    attributes = dict(vars(thing)) if hasattr(thing, "__dict__") else {}
    if type(thing).__module__.split(".")[0] in _OURS:
        # our own caches are keyed by what they were made from
        attributes = {name: value for name, value in attributes.items() if not name.startswith("_")}
    # methods live on the class: what they close over or look up globally belongs to the policy, too
    call = getattr(type(thing), "decide", None) or vars(type(thing)).get("__call__")
    if isinstance(call, types.FunctionType):
        attributes[call.__name__] = call
    return attributes


def _closure(function: types.FunctionType) -> dict[str, Any]:
    try:
        variables = inspect.getclosurevars(function)
    except ValueError:  # a cell that is still empty
        return {}
    defaults = {f"{function.__name__} default {i}": value for i, value in enumerate(function.__defaults__ or ())}
    named = {f"{function.__name__} default {key}": v for key, v in (function.__kwdefaults__ or {}).items()}
    return {**variables.globals, **variables.nonlocals, **defaults, **named}


def _as_stamp(value: Any) -> pd.Timestamp | None:
    if isinstance(value, (pd.Timestamp, calendar_date, np.datetime64, str)):
        try:
            stamp = pd.Timestamp(value)
        except ValueError:
            return None
        return None if stamp is pd.NaT else stamp
    return None
