"""`RiskConstraint`: a functional, a relation and a level; and what cannot be asked for together."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final, get_args

from tsgen.errors import ConfigError
from tsgen.reweighting.relation import Relation, check_number, check_relation
from tsgen.steering.risk_functionals import EventProbability, MaxDrawdown, RealisedVolatility, RiskFunctional


@final
@dataclass(frozen=True)
class RiskConstraint:
    """A condition on the law of the steered paths.

    Parameters
    ----------
    functional : TerminalReturn, RealisedVolatility, MaxDrawdown, ExpectedShortfall, EventProbability or PathMean
        Its expectation is constrained (for the expected shortfall: the tail mean).
    relation : {"==", "<=", ">="}
    level : float
        In the unit of the functional: decimals, or a probability strictly between 0 and 1.

    Raises
    ------
    ConfigError
        If an argument is out of range.

    Examples
    --------
    >>> from tsgen.steering import MaxDrawdown
    >>> RiskConstraint(MaxDrawdown("A"), ">=", 0.1).title
    'maximum drawdown of A >= 0.1'
    """

    functional: RiskFunctional
    relation: Relation
    level: float

    def __post_init__(self) -> None:
        if not isinstance(self.functional, get_args(RiskFunctional)):
            names = ", ".join(kind.__name__ for kind in get_args(RiskFunctional))
            raise ConfigError(f"functional must be one of {names}: got {type(self.functional).__name__}.")
        check_relation(self.relation)
        object.__setattr__(self, "level", check_number(self.level, "level"))
        if isinstance(self.functional, EventProbability) and not 0.0 < self.level < 1.0:
            raise ConfigError(
                f"the level of an event probability must be strictly between 0 and 1: got {self.level:g}. "
                "An event made certain or impossible is conditioning, not steering."
            )
        if isinstance(self.functional, (MaxDrawdown, RealisedVolatility)) and self.level <= 0.0:
            raise ConfigError(f"the level of a {self.functional.label} must be above zero: got {self.level:g}.")

    @property
    def title(self) -> str:
        """Condition in words."""
        return f"{self.functional.label} {self.relation} {self.level:g}"


def checked_constraints(constraints: Iterable[RiskConstraint] | RiskConstraint) -> tuple[RiskConstraint, ...]:
    """Tuple of constraints; raises `ConfigError` for other objects and for pairs that exclude each other.

    Examples
    --------
    >>> checked_constraints([])
    ()
    """
    listed = (constraints,) if isinstance(constraints, RiskConstraint) else tuple(constraints)
    for item in listed:
        if not isinstance(item, RiskConstraint):
            raise ConfigError(
                f"constraints must be RiskConstraint objects: got {type(item).__name__}. "
                'Write RiskConstraint(MaxDrawdown("A"), ">=", 0.1).'
            )
    for i, first in enumerate(listed):
        for second in listed[i + 1 :]:
            if first.functional == second.functional and _exclude(first, second):
                raise ConfigError(f"these constraints contradict: {first.title}; {second.title}. Drop one of them.")
    return listed


def _exclude(first: RiskConstraint, second: RiskConstraint) -> bool:
    lowest = max((c.level for c in (first, second) if c.relation != "<="), default=None)
    highest = min((c.level for c in (first, second) if c.relation != ">="), default=None)
    return lowest is not None and highest is not None and lowest > highest
