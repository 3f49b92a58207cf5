"""Views on probabilities of path events and on expectations of path functionals: linear, stage 1."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError, DataError
from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.relation import check_number
from tsgen.reweighting.statistic_view import StatisticView
from tsgen.reweighting.subject import Outcomes, Subject, frozen_subject, numbers_per_scenario, subject_label
from tsgen.reweighting.view_protocol import Stage
from tsgen.scenario_set import ScenarioSet

Floats = NDArray[np.float64]
PathQuantity = NDArray[Any] | Callable[[ScenarioSet], ArrayLike]


def _path_quantity(quantity: PathQuantity, what: str) -> PathQuantity:
    owned = frozen_subject(quantity)
    if isinstance(owned, np.ndarray) or callable(owned):
        return owned
    raise ConfigError(
        f"{what} must be an array of shape (scenario,) or a callable on the ScenarioSet: got {quantity!r}. "
        "For the return of an asset use MeanView."
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class PathQuantityView(StatisticView):
    """The expectation of a quantity of whole paths."""

    lowest_target: ClassVar[float] = -np.inf
    highest_target: ClassVar[float] = np.inf

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 1

    @abstractmethod
    def feature(self, outcomes: Outcomes) -> Floats:
        """The quantity in every scenario, shape (scenario,), float64."""

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The expectation under other probabilities."""
        return float(probabilities @ self.feature(outcomes))

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:  # noqa: ARG002
        """Linear conditions; the law of the preceding stage is not needed."""
        return [self._row(self.feature(outcomes))]

    def _subjects(self) -> tuple[Subject, ...]:
        return ()

    def _checked_target(self) -> float:
        return check_number(self.target, "target", lowest=self.lowest_target, highest=self.highest_target)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class EventProbabilityView(PathQuantityView):
    """The probability of an event on whole paths.

    Parameters
    ----------
    event : callable or bool array of shape (scenario,)
        For example `TerminalLoss`, `BarrierHit`, `DrawdownBeyond`, or any function that takes the `ScenarioSet`
        and says for each scenario whether the event happens.
    target : float
        Probability from 0 to 1. Both ends are allowed: 1 conditions on the event.
    relation : {"==", "<=", ">="}
    name : str, optional
        Name in messages and tables.

    Raises
    ------
    ConfigError
        If the target is outside [0, 1], the relation unknown, or the event neither array nor callable.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.2]]], assets=["A"], kind="simple")
    >>> EventProbabilityView(event=lambda s: s.returns[:, 0, 0] < 0, target=0.1).value(s)
    0.5
    """

    event: PathQuantity

    lowest_target: ClassVar[float] = 0.0
    highest_target: ClassVar[float] = 1.0

    def feature(self, outcomes: Outcomes) -> Floats:
        """One where the event happens, zero elsewhere, shape (scenario,), float64."""
        happens = self.event(outcomes.scenarios) if callable(self.event) else self.event
        indicator = numbers_per_scenario(happens, outcomes.scenarios.n_scenarios, f"event ({self.title})")
        if not np.isin(indicator, (0.0, 1.0)).all():
            raise DataError(
                f"event ({self.title}) must be true or false in every scenario: got numbers from {indicator.min():.6g} "
                f"to {indicator.max():.6g}. For the expectation of a number use FunctionalView."
            )
        return indicator

    def _label(self) -> str:
        return f"probability of {subject_label(self.event)}"

    def _freeze(self) -> None:
        object.__setattr__(self, "event", _path_quantity(self.event, "event"))


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class FunctionalView(PathQuantityView):
    """The expectation of any functional of the paths.

    Parameters
    ----------
    functional : callable or array of shape (scenario,)
        A function that takes the `ScenarioSet` and gives a finite number for each scenario, or these numbers.
    target : float
        In the unit of the functional.
    relation : {"==", "<=", ">="}
    name : str, optional
        Name in messages and tables.

    Raises
    ------
    ConfigError
        If the target is not finite, the relation unknown, or the functional neither array nor callable.

    Notes
    -----
    With a fat-tailed functional the tilt leans on the largest values that happen to be in the sample; bound it
    (for example at five standard deviations) where that is not wanted.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.2]]], assets=["A"], kind="simple")
    >>> round(FunctionalView(functional=lambda s: s.returns[:, 0, 0] ** 2, target=0.03).value(s), 6)
    0.025
    """

    functional: PathQuantity

    def feature(self, outcomes: Outcomes) -> Floats:
        """The functional in every scenario, shape (scenario,), float64."""
        return outcomes.of(self.functional)

    def _label(self) -> str:
        return f"expectation of {subject_label(self.functional)}"

    def _freeze(self) -> None:
        object.__setattr__(self, "functional", _path_quantity(self.functional, "functional"))
