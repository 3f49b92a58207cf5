"""Views on the correlation of two numbers per scenario, of either sign.

Linear in the probabilities once both means and variances are held at the values of the preceding stage (stage 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError
from tsgen.reweighting.held_moments import held_mean, held_variance
from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.relation import Relation, check_number, check_relation
from tsgen.reweighting.subject import Outcomes, Subject, frozen_subject, subject_label
from tsgen.reweighting.view_protocol import Stage
from tsgen.reweighting.weighted_moments import varying_moments
from tsgen.scenario_set import ScenarioSet

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class CorrelationView:
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
    >>> s = ScenarioSet(returns=[[[0.1, -0.2]], [[-0.1, 0.2]]], assets=["A", "B"], kind="simple")
    >>> round(CorrelationView(between=("A", "B"), target=-0.5).value(s), 12)
    -1.0
    """

    between: tuple[Subject, Subject]
    target: float
    relation: Relation = "=="
    name: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.between, str) or not isinstance(self.between, Sequence) or len(self.between) != 2:
            raise ConfigError(f"between must be a pair, for example ('A', 'B'): got {self.between!r}.")
        first, second = self.between
        object.__setattr__(self, "between", (frozen_subject(first), frozen_subject(second)))
        object.__setattr__(self, "target", check_number(self.target, "target", lowest=-1.0, highest=1.0))
        check_relation(self.relation)

    @property
    def title(self) -> str:
        """Name of the statistic."""
        return self.name or f"correlation of {subject_label(self.between[0])} and {subject_label(self.between[1])}"

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 3

    def value(self, scenarios: ScenarioSet) -> float:
        """The correlation under the probabilities of the scenarios."""
        return self.statistic(Outcomes(scenarios), scenarios.weights)

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The correlation under other probabilities."""
        return float(probabilities @ self._product(outcomes, probabilities))

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage."""
        feature = self._product(outcomes, probabilities)
        return [LinearRow(name=self.title, feature=feature, target=self.target, relation=self.relation)]

    def held_rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Means and variances of both, at their values under the law of the preceding stage."""
        held: list[LinearRow] = []
        for subject in self.between:
            values, label = outcomes.of(subject), subject_label(subject)
            held.append(held_mean(label, values, probabilities, held_for=self.title))
            held.append(held_variance(label, values, probabilities, held_for=self.title))
        return held

    def _product(self, outcomes: Outcomes, probabilities: Floats) -> Floats:
        factors = []
        for subject in self.between:
            values = outcomes.of(subject)
            m = varying_moments(values, probabilities, self.title)
            factors.append((values - m.mean) / m.deviation)
        return factors[0] * factors[1]
