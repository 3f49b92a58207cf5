"""`PoolingReport`: what re-weighting did, view by view, and what it cost."""

import html
import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd

from tsgen.scenario_set import ScenarioSet


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PoolingReport:
    r"""Posterior scenarios and the diagnostics of entropy pooling.

    Parameters
    ----------
    posterior : ScenarioSet
        The scenarios with posterior probabilities.
    views : DataFrame
        Index: name of the statistic. Columns: ``relation``, ``target``, ``prior``, ``posterior`` (values of the
        statistic), ``residual`` (posterior less target), ``multiplier`` (:math:`\lambda`, per unit of the feature;
        infinite where a view conditions on an extreme), ``sensitivity`` (:math:`\partial KL^* / \partial target`,
        nats per unit of the target, held moments held), ``binding``.
    held : DataFrame
        Moments held for views of variance, skew, kurtosis and correlation: ``target``, ``multiplier``, ``for``.
    divergence : float
        :math:`KL(q|p)`, nats: what the views cost.
    prior_effective_number, effective_number : float
        Exponential of the entropy of the probabilities before and after.
    iterations : int
        Newton steps in all stages and searches.
    tolerance : float
        Largest residual allowed, in prior standard deviations of the feature.
    multipliers : dict of str to float
        All finite multipliers by row name, for ``warm_start``.

    Notes
    -----
    Below some 100 effective scenarios, or a small fraction of what there was, statistics of the posterior rest on few
    paths and only the views themselves are accurate: sample more scenarios, or steer the generator.

    Examples
    --------
    >>> from tsgen.reweighting import MeanView, entropy_pooling_report
    >>> s = ScenarioSet(returns=[[[0.1]], [[-0.1]]], assets=["A"], kind="simple")
    >>> report = entropy_pooling_report(s, [MeanView(of="A", target=0.05)])
    >>> report.posterior.weights.round(6).tolist(), round(report.divergence, 6)
    ([0.75, 0.25], 0.130812)
    """

    posterior: ScenarioSet
    views: pd.DataFrame
    held: pd.DataFrame
    divergence: float
    prior_effective_number: float
    effective_number: float
    iterations: int
    tolerance: float
    multipliers: dict[str, float]

    @property
    def effective_share(self) -> float:
        """Effective number of scenarios, as a share of the prior's."""
        return self.effective_number / self.prior_effective_number

    def to_dict(self) -> dict[str, Any]:
        """JSON-able summary; infinite multipliers become the strings ``"inf"`` and ``"-inf"``."""
        views = [
            {"view": str(name), **{str(key): _json(value) for key, value in row.items()}}
            for name, row in zip(self.views.index, self.views.to_dict("records"), strict=True)
        ]
        held = [
            {"moment": str(name), **{str(key): _json(value) for key, value in row.items()}}
            for name, row in zip(self.held.index, self.held.to_dict("records"), strict=True)
        ]
        return {
            "divergence": self.divergence,
            "prior_effective_number": self.prior_effective_number,
            "effective_number": self.effective_number,
            "iterations": self.iterations,
            "tolerance": self.tolerance,
            "views": views,
            "held": held,
        }

    def __repr__(self) -> str:
        return (
            f"PoolingReport({len(self.views)} views, KL {self.divergence:.4g} nats, effective number "
            f"{self.effective_number:.0f} of {self.prior_effective_number:.0f}, {self.iterations} Newton steps)"
        )

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(repr(self))}</b></p>{self.views.to_html(float_format='{:.6g}'.format)}"


def _json(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else str(float(value))
    return value
