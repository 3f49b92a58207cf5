"""Views on the correlation of two numbers per scenario, of either sign.

Linear in the probabilities once both means and variances are held at the values of the preceding stage (stage 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError
from tsgen.reweighting.held_moments import held_mean, held_variance
from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.relation import check_number
from tsgen.reweighting.statistic_view import HeldMoment, StatisticView
from tsgen.reweighting.subject import Outcomes, Subject, frozen_subject, subject_label
from tsgen.reweighting.view_protocol import Stage
from tsgen.reweighting.weighted_moments import varying_moments

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class CorrelationView(StatisticView):
    """The linear correlation of two assets, portfolios or numbers per scenario.

    Parameters
    ----------
    between : pair of subjects
        Each a name, portfolio weights, an array of shape (scenario,) or a callable. Names and weights mean the
        simple buy-and-hold return over the whole horizon.
    target : float
        From -1 to 1.
    relation : {"==", "<=", ">="}
    name : str, optional
        Name in messages and tables.

    Raises
    ------
    ConfigError
        If the target is outside [-1, 1], the relation unknown, or ``between`` not a pair of subjects.

    Notes
    -----
    Means and variances of both are held at their values after the views of stages 1 and 2.

    Examples
    --------
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet(returns=[[[0.1, -0.2]], [[-0.1, 0.2]]], assets=["A", "B"], kind="simple")
    >>> round(CorrelationView(between=("A", "B"), target=-0.5).value(s), 12)
    -1.0
    """

    between: tuple[Subject, Subject]

    holds: ClassVar[tuple[HeldMoment, ...]] = (held_mean, held_variance)

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 3

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The correlation under other probabilities."""
        return float(probabilities @ self._product(outcomes, probabilities))

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage."""
        return [self._row(self._product(outcomes, probabilities))]

    def _label(self) -> str:
        return f"correlation of {subject_label(self.between[0])} and {subject_label(self.between[1])}"

    def _subjects(self) -> tuple[Subject, ...]:
        return self.between

    def _freeze(self) -> None:
        if isinstance(self.between, str) or not isinstance(self.between, Sequence) or len(self.between) != 2:
            raise ConfigError(f"between must be a pair, for example ('A', 'B'): got {self.between!r}.")
        first, second = self.between
        object.__setattr__(self, "between", (frozen_subject(first), frozen_subject(second)))

    def _checked_target(self) -> float:
        return check_number(self.target, "target", lowest=-1.0, highest=1.0)

    def _product(self, outcomes: Outcomes, probabilities: Floats) -> Floats:
        factors = []
        for subject in self.between:
            values = outcomes.of(subject)
            m = varying_moments(values, probabilities, self.title)
            factors.append((values - m.mean) / m.deviation)
        return factors[0] * factors[1]
