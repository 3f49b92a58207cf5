"""Views on the shape of a distribution: skew and kurtosis.

Linear in the probabilities once mean and variance are held at the values of the preceding stage (stage 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.held_moments import held_mean, held_variance
from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.relation import Relation, check_number, check_relation
from tsgen.reweighting.subject import Outcomes, Subject, frozen_subject, subject_label
from tsgen.reweighting.view_protocol import Stage
from tsgen.reweighting.weighted_moments import central_moment, varying_moments
from tsgen.scenario_set import ScenarioSet

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class SkewView:
    r"""The skew (standardised central moment of order 3) of any number per scenario.

    Parameters
    ----------
    of : str, mapping of str to float, array of shape (scenario,) or callable
        Asset, portfolio weights, or any number per scenario; see `tsgen.reweighting.subject`. Names and weights
        mean the simple buy-and-hold return over the whole horizon, decimals.
    target : float
        Dimensionless; 0 for a symmetric law.
    relation : {"==", "<=", ">="}
    name : str, optional
        Name in messages and tables.

    Raises
    ------
    ConfigError
        If the target is not finite, the relation unknown, or ``of`` of a wrong kind.

    Notes
    -----
    Mean and variance are held at their values after the views of stages 1 and 2.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.3]], [[-0.1]], [[-0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> round(SkewView(of="A", target=3.0).value(s), 6)
    1.154701
    """

    of: Subject
    target: float
    relation: Relation = "=="
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", frozen_subject(self.of))
        object.__setattr__(self, "target", check_number(self.target, "target"))
        check_relation(self.relation)

    @property
    def title(self) -> str:
        """Name of the statistic."""
        return self.name or f"skew of {subject_label(self.of)}"

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 3

    def value(self, scenarios: ScenarioSet) -> float:
        """The statistic under the probabilities of the scenarios."""
        return self.statistic(Outcomes(scenarios), scenarios.weights)

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The statistic under other probabilities."""
        values = outcomes.of(self.of)
        varying_moments(values, probabilities, self.title)
        return central_moment(values, probabilities, 3)

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage."""
        values = outcomes.of(self.of)
        m = varying_moments(values, probabilities, self.title)
        feature = ((values - m.mean) / m.deviation) ** 3
        return [LinearRow(name=self.title, feature=feature, target=self.target, relation=self.relation)]

    def held_rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Moments to be held at their values under the law of the preceding stage."""
        values, label = outcomes.of(self.of), subject_label(self.of)
        return [
            held_mean(label, values, probabilities, held_for=self.title),
            held_variance(label, values, probabilities, held_for=self.title),
        ]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class KurtosisView:
    r"""The kurtosis (standardised central moment of order 4) of any number per scenario.

    Parameters
    ----------
    of : str, mapping of str to float, array of shape (scenario,) or callable
        Asset, portfolio weights, or any number per scenario; see `tsgen.reweighting.subject`. Names and weights
        mean the simple buy-and-hold return over the whole horizon, decimals.
    target : float
        Dimensionless, **not** the excess: 3 for a Gaussian; never below 1.
    relation : {"==", "<=", ">="}
    name : str, optional
        Name in messages and tables.

    Raises
    ------
    ConfigError
        If the target is below 1 or not finite, the relation unknown, or ``of`` of a wrong kind.

    Notes
    -----
    Mean and variance are held at their values after the views of stages 1 and 2.

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> round(KurtosisView(of="A", target=3.0).value(s), 6)
    1.0
    """

    of: Subject
    target: float
    relation: Relation = "=="
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", frozen_subject(self.of))
        object.__setattr__(self, "target", check_number(self.target, "target", lowest=1.0))
        check_relation(self.relation)

    @property
    def title(self) -> str:
        """Name of the statistic."""
        return self.name or f"kurtosis of {subject_label(self.of)}"

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 3

    def value(self, scenarios: ScenarioSet) -> float:
        """The statistic under the probabilities of the scenarios."""
        return self.statistic(Outcomes(scenarios), scenarios.weights)

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The statistic under other probabilities."""
        values = outcomes.of(self.of)
        varying_moments(values, probabilities, self.title)
        return central_moment(values, probabilities, 4)

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage."""
        values = outcomes.of(self.of)
        m = varying_moments(values, probabilities, self.title)
        feature = ((values - m.mean) / m.deviation) ** 4
        return [LinearRow(name=self.title, feature=feature, target=self.target, relation=self.relation)]

    def held_rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Moments to be held at their values under the law of the preceding stage."""
        values, label = outcomes.of(self.of), subject_label(self.of)
        return [
            held_mean(label, values, probabilities, held_for=self.title),
            held_variance(label, values, probabilities, held_for=self.title),
        ]
