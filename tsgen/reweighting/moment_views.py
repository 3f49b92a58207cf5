"""Views on moments of one number per scenario: mean, variance, volatility, skew, kurtosis.

A mean is linear in the probabilities (stage 1). A variance is so once its mean is held at the value of the preceding
stage (stage 2): without a view on the mean too, a variance view does not move the mean. Skew and kurtosis are so once
mean and variance are held (stage 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.held_moments import held_mean, held_variance
from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.statistic_view import HeldMoment, SubjectView
from tsgen.reweighting.subject import Outcomes
from tsgen.reweighting.view_protocol import Stage
from tsgen.reweighting.weighted_moments import central_moment, moments, varying_moments

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class MeanView(SubjectView):
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

    statistic_name: ClassVar[str] = "mean"

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 1

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The mean under other probabilities."""
        return float(probabilities @ outcomes.of(self.of))

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:  # noqa: ARG002
        """Linear conditions; the law of the preceding stage is not needed."""
        return [self._row(outcomes.of(self.of))]


def _squared_deviations(view: SubjectView, outcomes: Outcomes, probabilities: Floats) -> Floats:
    values = outcomes.of(view.of)
    return np.square(values - moments(values, probabilities).mean)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class VarianceView(SubjectView):
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
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> round(VarianceView(of="A", target=0.2).value(s), 12)
    0.01
    """

    statistic_name: ClassVar[str] = "variance"
    positive_target: ClassVar[bool] = True
    holds: ClassVar[tuple[HeldMoment, ...]] = (held_mean,)

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 2

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The variance under other probabilities."""
        return moments(outcomes.of(self.of), probabilities).deviation ** 2

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage."""
        return [self._row(_squared_deviations(self, outcomes, probabilities), squared=False)]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class VolatilityView(SubjectView):
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
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> round(VolatilityView(of="A", target=0.2).value(s), 12)
    0.1
    """

    statistic_name: ClassVar[str] = "volatility"
    positive_target: ClassVar[bool] = True
    holds: ClassVar[tuple[HeldMoment, ...]] = (held_mean,)

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 2

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The volatility under other probabilities."""
        return moments(outcomes.of(self.of), probabilities).deviation

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage."""
        return [self._row(_squared_deviations(self, outcomes, probabilities), squared=True)]


@dataclass(frozen=True, eq=False, kw_only=True)
class StandardisedMomentView(SubjectView):
    """A standardised central moment of one number per scenario; ``order`` 3 is the skew, 4 the kurtosis."""

    order: ClassVar[int]
    holds: ClassVar[tuple[HeldMoment, ...]] = (held_mean, held_variance)

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 3

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The standardised moment under other probabilities."""
        values = outcomes.of(self.of)
        varying_moments(values, probabilities, self.title)
        return central_moment(values, probabilities, self.order)

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:
        """Linear conditions, given the law of the preceding stage."""
        values = outcomes.of(self.of)
        m = varying_moments(values, probabilities, self.title)
        return [self._row(((values - m.mean) / m.deviation) ** self.order)]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class SkewView(StandardisedMomentView):
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
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet(returns=[[[0.3]], [[-0.1]], [[-0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> round(SkewView(of="A", target=3.0).value(s), 6)
    1.154701
    """

    statistic_name: ClassVar[str] = "skew"
    order: ClassVar[int] = 3


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class KurtosisView(StandardisedMomentView):
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
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> round(KurtosisView(of="A", target=3.0).value(s), 6)
    1.0
    """

    statistic_name: ClassVar[str] = "kurtosis"
    order: ClassVar[int] = 4
    lowest_target: ClassVar[float] = 1.0
