"""What all views share: a target, a relation, a name, and the moments that must be held for them.

A view adds its statistic, its rows and what it is called. Above `view_protocol`, which is all the solver needs.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.relation import Relation, check_number, check_positive, check_relation
from tsgen.reweighting.subject import Outcomes, Subject, frozen_subject, subject_label
from tsgen.reweighting.view_protocol import Stage
from tsgen.scenario_set import ScenarioSet

Floats = NDArray[np.float64]
HeldMoment = Callable[..., LinearRow]


@dataclass(frozen=True, eq=False, kw_only=True)
class StatisticView(ABC):
    """A statistic of the scenarios, equal to, at most or at least a target.

    Parameters
    ----------
    target : float
    relation : {"==", "<=", ">="}
    name : str, optional
        Name in messages and tables.
    """

    target: float
    relation: Relation = "=="
    name: str | None = None

    holds: ClassVar[tuple[HeldMoment, ...]] = ()

    def __post_init__(self) -> None:
        self._freeze()
        object.__setattr__(self, "target", self._checked_target())
        check_relation(self.relation)

    @property
    @abstractmethod
    def stage(self) -> Stage:
        """Stage in which the view enters."""

    @property
    def title(self) -> str:
        """Name of the statistic."""
        return self.name or self._label()

    def value(self, scenarios: ScenarioSet) -> float:
        """The statistic under the probabilities of the scenarios."""
        return self.statistic(Outcomes(scenarios), scenarios.weights)

    @abstractmethod
    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The statistic under other probabilities."""

    @abstractmethod
    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage."""

    def held_rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Moments to be held at their values under the law of the preceding stage."""
        return [
            moment(subject_label(subject), outcomes.of(subject), probabilities, held_for=self.title)
            for subject in self._subjects()
            for moment in self.holds
        ]

    @abstractmethod
    def _label(self) -> str: ...

    @abstractmethod
    def _subjects(self) -> tuple[Subject, ...]: ...

    @abstractmethod
    def _freeze(self) -> None: ...

    @abstractmethod
    def _checked_target(self) -> float: ...

    def _row(self, feature: Floats, *, squared: bool = False) -> LinearRow:
        target = self.target**2 if squared else self.target
        return LinearRow(name=self.title, feature=feature, target=target, relation=self.relation, squared=squared)


@dataclass(frozen=True, eq=False, kw_only=True)
class SubjectView(StatisticView):
    """A statistic of one number per scenario.

    Parameters
    ----------
    of : str, mapping of str to float, array of shape (scenario,) or callable
        See `tsgen.reweighting.subject`.
    """

    of: Subject

    statistic_name: ClassVar[str]
    lowest_target: ClassVar[float] = -np.inf
    positive_target: ClassVar[bool] = False

    def _label(self) -> str:
        return f"{self.statistic_name} of {subject_label(self.of)}"

    def _subjects(self) -> tuple[Subject, ...]:
        return (self.of,)

    def _freeze(self) -> None:
        object.__setattr__(self, "of", frozen_subject(self.of))

    def _checked_target(self) -> float:
        if self.positive_target:
            return check_positive(self.target, "target")
        return check_number(self.target, "target", lowest=self.lowest_target)
