"""Views on means and on the spread around them: expectation, variance, volatility.

A mean is linear in the probabilities (stage 1). A variance is so once its mean is held at the value of the
preceding stage (stage 2): without a view on the mean too, a variance view does not move the mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.held_moments import held_mean
from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.relation import Relation, check_number, check_positive, check_relation
from tsgen.reweighting.subject import Outcomes, Subject, frozen_subject, subject_label
from tsgen.reweighting.view_protocol import Stage
from tsgen.reweighting.weighted_moments import moments
from tsgen.scenario_set import ScenarioSet

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class MeanView:
    r"""The mean of an asset, a portfolio or any number per scenario.

    Parameters
    ----------
    of : str, mapping of str to float, array of shape (scenario,) or callable
        Asset, portfolio weights, or any number per scenario; see `tsgen.reweighting.subject`. Names and weights
        mean the simple buy-and-hold return over the whole horizon, decimals.
    target : float
        Decimals over the horizon for assets and portfolios.
    relation : {"==", "<=", ">="}
    name : str, optional
        Name in messages and tables.

    Raises
    ------
    ConfigError
        If the target is not finite, the relation unknown, or ``of`` of a wrong kind.

    Examples
    --------
    A ranking, "A does at least as well as B", is a view on the difference:

    >>> MeanView(of={"A": 1.0, "B": -1.0}, target=0.0, relation=">=").title
    'mean of 1 A - 1 B'
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
        return self.name or f"mean of {subject_label(self.of)}"

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 1

    def value(self, scenarios: ScenarioSet) -> float:
        """The statistic under the probabilities of the scenarios."""
        return self.statistic(Outcomes(scenarios), scenarios.weights)

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The statistic under other probabilities."""
        return float(probabilities @ outcomes.of(self.of))

    def rows(self, outcomes: Outcomes, _probabilities: Floats) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage."""
        feature = outcomes.of(self.of)
        return [LinearRow(name=self.title, feature=feature, target=self.target, relation=self.relation)]

    def held_rows(self, _outcomes: Outcomes, _probabilities: Floats) -> Sequence[LinearRow]:
        """Moments to be held at their values under the law of the preceding stage."""
        return []


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class VarianceView:
    r"""The variance of an asset, a portfolio or any number per scenario.

    Parameters
    ----------
    of : str, mapping of str to float, array of shape (scenario,) or callable
        Asset, portfolio weights, or any number per scenario; see `tsgen.reweighting.subject`. Names and weights
        mean the simple buy-and-hold return over the whole horizon, decimals.
    target : float
        Decimals squared over the horizon (not annualised), above zero.
    relation : {"==", "<=", ">="}
    name : str, optional
        Name in messages and tables.

    Raises
    ------
    ConfigError
        If the target is not above zero, the relation unknown, or ``of`` of a wrong kind.

    Notes
    -----
    The mean is held at its value after the views of stage 1 (mean, probability, VaR, CVaR).

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> round(VarianceView(of="A", target=0.2).value(s), 12)
    0.01
    """

    of: Subject
    target: float
    relation: Relation = "=="
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", frozen_subject(self.of))
        object.__setattr__(self, "target", check_positive(self.target, "target"))
        check_relation(self.relation)

    @property
    def title(self) -> str:
        """Name of the statistic."""
        return self.name or f"variance of {subject_label(self.of)}"

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 2

    def value(self, scenarios: ScenarioSet) -> float:
        """The statistic under the probabilities of the scenarios."""
        return self.statistic(Outcomes(scenarios), scenarios.weights)

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The statistic under other probabilities."""
        return moments(outcomes.of(self.of), probabilities).deviation ** 2

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage."""
        values = outcomes.of(self.of)
        feature = np.square(values - moments(values, probabilities).mean)
        row = LinearRow(
            name=self.title,
            feature=feature,
            target=self.target,
            relation=self.relation,
        )
        return [row]

    def held_rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Moments to be held at their values under the law of the preceding stage."""
        values = outcomes.of(self.of)
        return [held_mean(subject_label(self.of), values, probabilities, held_for=self.title)]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class VolatilityView:
    r"""The standard deviation of an asset, a portfolio or any number per scenario.

    Parameters
    ----------
    of : str, mapping of str to float, array of shape (scenario,) or callable
        Asset, portfolio weights, or any number per scenario; see `tsgen.reweighting.subject`. Names and weights
        mean the simple buy-and-hold return over the whole horizon, decimals.
    target : float
        Decimals over the horizon (not annualised), above zero.
    relation : {"==", "<=", ">="}
    name : str, optional
        Name in messages and tables.

    Raises
    ------
    ConfigError
        If the target is not above zero, the relation unknown, or ``of`` of a wrong kind.

    Notes
    -----
    The mean is held at its value after the views of stage 1 (mean, probability, VaR, CVaR).

    Examples
    --------
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> round(VolatilityView(of="A", target=0.2).value(s), 12)
    0.1
    """

    of: Subject
    target: float
    relation: Relation = "=="
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", frozen_subject(self.of))
        object.__setattr__(self, "target", check_positive(self.target, "target"))
        check_relation(self.relation)

    @property
    def title(self) -> str:
        """Name of the statistic."""
        return self.name or f"volatility of {subject_label(self.of)}"

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 2

    def value(self, scenarios: ScenarioSet) -> float:
        """The statistic under the probabilities of the scenarios."""
        return self.statistic(Outcomes(scenarios), scenarios.weights)

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The statistic under other probabilities."""
        return moments(outcomes.of(self.of), probabilities).deviation

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage."""
        values = outcomes.of(self.of)
        feature = np.square(values - moments(values, probabilities).mean)
        row = LinearRow(
            name=self.title,
            feature=feature,
            target=self.target**2,
            relation=self.relation,
            squared=True,
        )
        return [row]

    def held_rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Moments to be held at their values under the law of the preceding stage."""
        values = outcomes.of(self.of)
        return [held_mean(subject_label(self.of), values, probabilities, held_for=self.title)]
