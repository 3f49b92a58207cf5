r"""Views on the tail of a loss: value at risk and conditional value at risk, losses positive.

VaR is a statement on one probability and linear (stage 1). CVaR is not linear in the probabilities: for a trial
quantile :math:`\eta` it is bounded by the linear :math:`F_q(\eta) = \eta + E_q(L - \eta)^+ / (1 - \beta)`, whose
minimum over :math:`\eta` it is. `CVaRView.bound` gives that row; the search over :math:`\eta` is in `cvar_raising`
and `cvar_lowering`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from tsgen.reweighting.linear_row import LinearRow
from tsgen.reweighting.relation import check_tail_level
from tsgen.reweighting.statistic_view import SubjectView
from tsgen.reweighting.subject import Outcomes, subject_label
from tsgen.reweighting.view_protocol import Stage
from tsgen.reweighting.weighted_moments import TailMeasures, tail_measures

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class TailView(SubjectView):
    """A tail measure of a loss, the negative of one number per scenario, at a confidence level."""

    level: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "level", check_tail_level(self.level))

    @property
    def stage(self) -> Stage:
        """Stage in which the view enters."""
        return 1

    def _label(self) -> str:
        return f"{self.statistic_name} {self.level:g} of {subject_label(self.of)}"

    def _measures(self, outcomes: Outcomes, probabilities: Floats) -> TailMeasures:
        losses = -outcomes.of(self.of)
        return tail_measures(losses, probabilities, self.level, np.argsort(losses))


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class VaRView(TailView):
    r"""The value at risk of an asset, a portfolio or any number per scenario.

    Imposed as :math:`P(x \le -v) = 1 - \beta` (at most :math:`1 - \beta` for ``<=``, at least for ``>=``).

    Parameters
    ----------
    of : str, mapping of str to float, array of shape (scenario,) or callable
        Names and weights mean the simple buy-and-hold return over the whole horizon; the loss is its negative.
    target : float
        Loss :math:`v`, decimals, losses positive. Any sign.
    level : float
        Confidence level :math:`\beta`, 0.95 for the worst 5 %.
    relation : {"==", "<=", ">="}
    name : str, optional
        Name in messages and tables.

    Raises
    ------
    ConfigError
        If the level is not strictly between 0 and 1, the target not finite, or the relation unknown.

    Notes
    -----
    On finitely many scenarios every loss between two neighbouring ones is a quantile at a tie: with ``==`` the
    target is *a* :math:`\beta`-quantile of the posterior, while `value` reports the lowest one.

    Examples
    --------
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.2]], [[0.0]], [[0.3]]], assets=["A"], kind="simple")
    >>> round(VaRView(of="A", target=0.1, level=0.8).value(s), 12)
    0.2
    """

    statistic_name: ClassVar[str] = "VaR"

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The value at risk under other probabilities."""
        return self._measures(outcomes, probabilities).value_at_risk

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:  # noqa: ARG002
        """Linear conditions; the law of the preceding stage is not needed."""
        beyond = (outcomes.of(self.of) <= -self.target).astype(np.float64)
        name = f"probability of a loss of at least {self.target:g} ({self.title})"
        return [LinearRow(name=name, feature=beyond, target=1.0 - self.level, relation=self.relation)]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class CVaRView(TailView):
    r"""The conditional value at risk (expected shortfall) of an asset, a portfolio or any number per scenario.

    Parameters
    ----------
    of : str, mapping of str to float, array of shape (scenario,) or callable
        Names and weights mean the simple buy-and-hold return over the whole horizon; the loss is its negative.
    target : float
        Mean loss :math:`v` in the worst :math:`1 - \beta`, decimals, losses positive. Any sign, any size.
    level : float
        Confidence level :math:`\beta`, 0.95 for the worst 5 %.
    relation : {"==", "<=", ">="}
    name : str, optional
        Name in messages and tables.

    Raises
    ------
    ConfigError
        If the level is not strictly between 0 and 1, the target not finite, or the relation unknown.

    Notes
    -----
    Raising a CVaR is a convex problem and solved exactly. Lowering one is not convex: the quantile is searched on a
    grid and refined, several lowering views in turn, so that the result may be a local optimum then.

    References
    ----------
    Rockafellar and Uryasev (2002), "Conditional value-at-risk for general loss distributions".
    Meucci, Ardia and Keel (2011), "Fully flexible extreme views".

    Examples
    --------
    >>> from tsgen.scenario_set import ScenarioSet
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.2]], [[0.0]], [[0.3]]], assets=["A"], kind="simple")
    >>> round(CVaRView(of="A", target=0.1, level=0.5).value(s), 12)
    0.1
    """

    statistic_name: ClassVar[str] = "CVaR"

    def statistic(self, outcomes: Outcomes, probabilities: Floats) -> float:
        """The CVaR under other probabilities."""
        return self._measures(outcomes, probabilities).expected_shortfall

    def rows(self, outcomes: Outcomes, probabilities: Floats) -> Sequence[LinearRow]:  # noqa: ARG002
        """No linear conditions: the quantile has to be searched for."""
        return []

    def bound(self, losses: Floats, eta: float, *, relation: Literal["<=", ">="]) -> LinearRow:
        r"""The row :math:`\eta + E_q(L - \eta)^+ / (1 - \beta)` at most or at least the target.

        Parameters
        ----------
        losses : ndarray of shape (scenario,), float64
        eta : float
            Trial quantile.
        relation : {"<=", ">="}
        """
        feature = eta + np.maximum(losses - eta, 0.0) / (1.0 - self.level)
        # several lower bounds hold at once, the one upper bound moves: its multiplier is a first guess for the next
        name = f"{self.title} at quantile {eta:.17g}" if relation == ">=" else f"{self.title} at the quantile"
        return LinearRow(name=name, feature=feature, target=self.target, relation=relation)
