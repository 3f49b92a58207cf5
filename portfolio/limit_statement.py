"""From the caller's constraints to the limits of one problem: check, add defaults, name uniquely."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from portfolio.constraints import Bounds, Budget, Constraint
from portfolio.decision_model import DecisionModel, NamedLimit
from portfolio.exposure_constraints import NetLeverage
from tsgen.errors import ConfigError

# immutable, so that every problem may have the same ones
_LONG_ONLY, _INVESTED = Bounds(), Budget()


def with_defaults(constraints: Iterable[Constraint]) -> tuple[tuple[Constraint, ...], tuple[Constraint, ...]]:
    """Check the caller's constraints and say which defaults join them.

    **If no `Bounds` is given, long-only ``Bounds(0, 1)`` applies; if neither `Budget` nor `NetLeverage` is given,
    ``Budget(1)`` applies.**
    To lift them, give ``Bounds(-inf, inf)`` or another total.

    Returns
    -------
    given, defaults : tuples of Constraint

    Raises
    ------
    ConfigError
        If ``constraints`` is not an iterable of constraints.

    Examples
    --------
    >>> with_defaults([Bounds(upper=0.2)])[1]
    (Budget(total=1.0),)
    """
    if not isinstance(constraints, (tuple, list)) and (
        isinstance(constraints, Constraint) or not isinstance(constraints, Iterable)
    ):
        raise ConfigError(
            f"constraints must be a sequence of constraints: got {constraints!r}. Put a single one into brackets."
        )
    given = tuple(constraints)
    for one in given:
        if isinstance(one, type) or not isinstance(one, Constraint):
            raise ConfigError(
                f"every constraint must be an object such as Bounds(...) or Budget(...): got {one!r}. "
                "Functions and strings are not constraints."
            )
    defaults: list[Constraint] = []
    if not any(isinstance(one, Bounds) for one in given):
        defaults.append(_LONG_ONLY)
    if not any(isinstance(one, (Budget, NetLeverage)) for one in given):
        defaults.append(_INVESTED)
    return given, tuple(defaults)


def named_limits_of(
    given: Sequence[Constraint], defaults: Sequence[Constraint], model: DecisionModel
) -> list[NamedLimit]:
    """All limits on ``model``, each under its own name: repeated names are numbered.

    Examples
    --------
    >>> limits = named_limits_of([Budget(), Budget()], [], DecisionModel(["A"], None))
    >>> [limit.name for limit in limits]
    ['Budget total 1', 'Budget total 1 (2)']
    """
    limits = [limit for one in given for limit in one.named_limits(model)]
    limits += [replace(limit, default=True) for one in defaults for limit in one.named_limits(model)]
    seen: Counter[str] = Counter()
    named = []
    for limit in limits:
        seen[limit.name] += 1
        named.append(replace(limit, name=f"{limit.name} ({seen[limit.name]})") if seen[limit.name] > 1 else limit)
    return named
