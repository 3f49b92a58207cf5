"""From metrics to one number: the map to [0, 1], the weights of the groups, and the gates.

Written down in one place so that it can be read, disputed and changed before results are seen. A score says how
far beyond noise a model is, on this amount of data: compare models on the same windows, not across data sets.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from tsgen.evaluation.metric_result import MetricResult

# inside two floor deviations a value is noise and a right model must not lose points for it
_FREE_EXCESS = 2.0
# five deviations further the score is one half: clearly wrong, but distinguishable from hopeless (30 deviations)
_HALF_EXCESS = 5.0
# closer to the data than the data are to themselves: a warning, so it may not earn full marks
_SUSPICIOUS_SCORE = 0.5


class GroupWeight(NamedTuple):
    """Weight of a group in the overall score, and why."""

    weight: float
    reason: str


class Gate(NamedTuple):
    """A group whose failure caps the overall score, and why."""

    ceiling: float
    exempt: tuple[str, ...]
    """Metrics of the group that are scored but do not close the gate."""
    reason: str


GROUP_WEIGHTS: dict[str, GroupWeight] = {
    "forecast calibration": GroupWeight(3.0, "decisions are taken on the conditional law, day by day"),
    "value at risk": GroupWeight(2.0, "the number a desk is held to"),
    "expected shortfall": GroupWeight(2.0, "the tail that optimisers and regulators act on"),
    "dependence": GroupWeight(2.0, "portfolios live on it, and most generators lose it first"),
    "temporal law": GroupWeight(2.0, "volatility clustering decides on every horizon beyond a day"),
    "marginal law": GroupWeight(1.0, "necessary, but the easiest part: resampling history gets it for free"),
    "path functionals": GroupWeight(1.0, "drawdown and realised volatility follow from the two above"),
}
# groups not listed above: joint distances and two-sample tests overlap with the families they summarise
DEFAULT_WEIGHT = GroupWeight(1.0, "a summary of properties that other groups judge one by one")

# an excess that no noise explains: a gate must not close on one true model in twenty
_GATE_EXCESS = 5.0

GATES: dict[str, Gate] = {
    "adaptedness": Gate(
        0.0,
        # it also fails for adapted generators that spend their random numbers in another order
        ("horizon prefix",),
        "a forecast that knows the future makes every other number void",
    ),
    "memorisation": Gate(
        # resampling history is a legitimate method, but a copy must not outrank a model that makes new scenarios
        0.5,
        (),
        "replayed training data pass every test of law and hold no new scenario",
    ),
}


def metric_score(result: MetricResult) -> float:
    """Map a metric to [0, 1]: 1 at the floor, falling with the excess over it; NaN where nothing is judged.

    ``1 / (1 + max(excess - 2, 0) / 5)`` with the excess in floor deviations; 1/2 below the floor; 1 and 0 for tests
    that pass or reject.

    Examples
    --------
    >>> def result(value, verdict):
    ...     return MetricResult(
    ...         group="g", metric="m", value=value, floor=1.0, floor_deviation=0.1, standard_error=0.1, verdict=verdict,
    ...         p_value=None, n=100,
    ...     )
    >>> [metric_score(result(v, w)) for v, w in ((1.1, "at floor"), (1.7, "above floor"), (0.5, "below floor"))]
    [1.0, 0.5, 0.5]
    """
    if result.verdict == "report":
        return float("nan")
    if result.verdict in ("pass", "reject"):
        return float(result.verdict == "pass")
    if result.verdict == "below floor":
        # further from the training data than unseen data are: other groups judge that, it is no copy
        return 1.0 if result.group == "memorisation" else _SUSPICIOUS_SCORE
    if result.floor_deviation == 0.0:
        return float(result.verdict == "at floor")
    return 1.0 / (1.0 + max(result.excess - _FREE_EXCESS, 0.0) / _HALF_EXCESS)


def group_scores(results: Iterable[MetricResult]) -> pd.Series:
    """Mean score of every group that has a judged metric, in order of appearance; index: group.

    Examples
    --------
    >>> group_scores([]).to_dict()
    {}
    """
    scores: dict[str, list[float]] = {}
    for result in results:
        scores.setdefault(result.group, []).append(metric_score(result))
    means = {g: float(np.nanmean(s)) for g, s in scores.items() if not np.isnan(s).all()}
    return pd.Series(means, dtype=np.float64, name="score").rename_axis("group")


def failed_gates(results: Iterable[MetricResult]) -> dict[str, str]:
    """Metrics that close a gate, with the reason; empty if all gates are open.

    A test closes its gate by rejecting, a distance by lying more than five floor deviations above its floor.

    Examples
    --------
    >>> leak = MetricResult(
    ...     group="adaptedness", metric="future of the history", value=1.0, floor=0.0, floor_deviation=0.0,
    ...     standard_error=0.0, verdict="reject", p_value=None, n=10,
    ... )
    >>> failed_gates([leak])
    {'adaptedness / future of the history': 'a forecast that knows the future makes every other number void'}
    """
    return {f"{r.group} / {r.metric}": GATES[r.group].reason for r in results if _closes_gate(r)}


def overall_score(results: Iterable[MetricResult]) -> float:
    """Weighted mean of the group scores, capped by the gates that are closed; NaN if nothing was judged.

    Examples
    --------
    >>> overall_score([])
    nan
    """
    known = tuple(results)
    groups = group_scores(known)
    if groups.empty:
        return float("nan")
    weights = np.array([GROUP_WEIGHTS.get(str(group), DEFAULT_WEIGHT).weight for group in groups.index])
    mean = float((groups.to_numpy() * weights).sum() / weights.sum())
    return min([mean, *(GATES[r.group].ceiling for r in known if _closes_gate(r))])


def _closes_gate(result: MetricResult) -> bool:
    gate = GATES.get(result.group)
    if gate is None or result.metric in gate.exempt:
        return False
    far = result.value > result.floor + _GATE_EXCESS * result.floor_deviation
    return result.verdict == "reject" or (result.verdict == "above floor" and far)
