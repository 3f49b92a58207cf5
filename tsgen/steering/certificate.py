r"""The certificate: how well a steered law does what was asked, measured on fresh paths.

With weights :math:`w \propto e^{\sum_j \lambda_j s_j} dp/dq^u` towards the exact tilt ``q*``:

    log Z = log E_u[dp/dq^u e^r],   KL(q^u || q*) = KL_u - E_u[r] + log Z,   KL* = KL(q* || p) = E_{q*}[r] - log Z,

where ``r = sum_j lambda_j (s_j - target_j)``. Z is unbiased for any control, so the certificate does not trust the fit
that it judges; it is estimated on paths of both laws (`partition_estimate`), because steered paths alone do not show
what they leave out.
"""

import html
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsgen.steering.bound_statistic import BoundStatistic
from tsgen.steering.pareto_tail import pareto_shape
from tsgen.steering.partition_estimate import partition_estimate
from tsgen.steering.steered_sample import SteeredSample, effective_share, log_mean_exp, log_tilt, normalised

Floats = NDArray[np.float64]
Verdict = Literal["ok", "weights-required", "failed"]

_ENOUGH_SHARE, _LEAST_SHARE = 0.4, 0.1
_SMALL_BIAS, _LARGEST_WEIGHTED_BIAS = 0.1, 0.2
_HEAVY_TAIL = 0.7
_UNSTABLE_RATIO = 2.0
_UNSTABLE_LOG_Z = 4.0
_LEFT_OUT = 0.05  # of the tilt's mass


@final
@dataclass(frozen=True, kw_only=True)
class ConstraintRecord:
    """One constraint on the fresh paths; levels in the unit of the functional."""

    title: str
    level: float
    reference: float
    unit: float
    """What biases are measured in: the reference's standard deviation (events: that of the target)."""
    multiplier: float
    """Per unit of the functional."""
    multiplier_standardised: float
    unweighted: float
    unweighted_error: float
    weighted: float
    weighted_error: float
    unweighted_bias: float
    """In units; for an inequality that does not bind, zero where it holds."""
    weighted_bias: float


@final
@dataclass(frozen=True, kw_only=True)
class SteeringCertificate:
    """What a steered generator can prove about itself.

    Attributes
    ----------
    verdict : {"ok", "weights-required", "failed"}
        ``"ok"``: the paths may be used with equal probabilities; ``"weights-required"``: only with the probabilities
        that come with them; ``"failed"``: not at all.
    reasons : tuple of str
        Why it is not better, or what deserves doubt.
    constraints : tuple of ConstraintRecord
    n_paths : int
    n_observed_paths : int
        Fresh paths of the reference that ``log Z`` was measured on as well; 0 with several candidates per period.
    log_partition, log_partition_error : float
        ``log Z`` with the tilt centred at the targets, from both samples.
    log_partition_steered : float
        The same from the steered paths alone.
    path_divergence, path_divergence_error : float
        ``KL_u``, nats per path; with candidates an upper bound.
    least_divergence : float
        ``KL*`` of the dual: no law that meets the constraints is closer.
    gap, gap_error : float
        ``KL(q^u || q*)``.
    effective_share : float
        Effective sample size of the weights, as a share of the paths.
    pareto_shape : float or None
    largest_weight : float
        In units of the mean weight.
    halves_effective_ratio, halves_log_partition : float
        Stability: ratio of the effective shares of two halves; difference of their ``log Z`` in standard errors.
    largest_shift, limited_share : float
        Largest norm of a noise shift, and share of transitions where it was limited.
    plain_effective_share : float
        Of re-weighting the reference instead.
    gain : float
        Mean gain of the constraints on their parts of the control.
    iterations : tuple of dict
        Course of the policy iteration.
    settings : dict
        Horizon, steps, seed and what else tells this law from others.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    constraints: tuple[ConstraintRecord, ...]
    n_paths: int
    n_observed_paths: int
    log_partition: float
    log_partition_error: float
    log_partition_steered: float
    path_divergence: float
    path_divergence_error: float
    least_divergence: float
    gap: float
    gap_error: float
    effective_share: float
    pareto_shape: float | None
    largest_weight: float
    halves_effective_ratio: float
    halves_log_partition: float
    largest_shift: float
    limited_share: float
    plain_effective_share: float
    gain: float
    iterations: tuple[dict[str, Any], ...]
    settings: dict[str, Any]

    @property
    def table(self) -> pd.DataFrame:
        """Constraints by row: level, reference, unweighted and weighted values with errors, biases, multiplier."""
        rows = [asdict(c) for c in self.constraints]
        frame = pd.DataFrame(rows).set_index("title")
        frame.index.name = "constraint"
        return frame

    def to_dict(self) -> dict[str, Any]:
        """JSON-able content."""
        content = asdict(self)
        content["reasons"], content["constraints"] = list(self.reasons), [asdict(c) for c in self.constraints]
        content["iterations"] = [dict(i) for i in self.iterations]
        return content

    def to_json(self) -> str:
        """The certificate as JSON text."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True, allow_nan=False)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "SteeringCertificate":
        """Inverse of `to_dict`."""
        fields = dict(content)
        fields["constraints"] = tuple(ConstraintRecord(**c) for c in content["constraints"])
        fields["reasons"], fields["iterations"] = tuple(content["reasons"]), tuple(content["iterations"])
        return cls(**fields)

    def lines(self) -> list[str]:
        """The certificate as text, line by line."""
        text = [f"verdict: {self.verdict}"]
        text += [f"  because {reason}" for reason in self.reasons]
        for c in self.constraints:
            text.append(
                f"{c.title}: unweighted {c.unweighted:.6g} ± {c.unweighted_error:.2g} ({c.unweighted_bias:+.2f} sd), "
                f"weighted {c.weighted:.6g} ± {c.weighted_error:.2g} ({c.weighted_bias:+.2f} sd), reference "
                f"{c.reference:.6g}, multiplier {c.multiplier:.6g}"
            )
        k = "n/a" if self.pareto_shape is None else f"{self.pareto_shape:.2f}"
        text += [
            f"path KL {self.path_divergence:.3f} ± {self.path_divergence_error:.3f} nats, least possible "
            f"{self.least_divergence:.3f}, gap {self.gap:.3f} ± {self.gap_error:.3f}",
            f"log Z {self.log_partition:.3f} ± {self.log_partition_error:.3f} (steered paths alone "
            f"{self.log_partition_steered:.3f}); effective paths "
            f"{100 * self.effective_share:.0f} % (plain re-weighting {100 * self.plain_effective_share:.2g} %)",
            f"Pareto k {k}; largest weight {self.largest_weight:.1f} of {self.n_paths}; halves: ratio "
            f"{self.halves_effective_ratio:.2f}, log Z {self.halves_log_partition:.1f} s.e. apart",
            f"largest noise shift {self.largest_shift:.2f} sd, limited in {100 * self.limited_share:.2g} % of steps; "
            f"gain {self.gain:.3f}",
        ]
        return text

    def __repr__(self) -> str:
        return (
            f"SteeringCertificate({self.verdict}, gap {self.gap:.3f} nats, effective paths "
            f"{100 * self.effective_share:.0f} %)"
        )

    def _repr_html_(self) -> str:
        shown = self.table[
            ["level", "reference", "unweighted", "unweighted_error", "weighted", "weighted_error", "multiplier"]
        ]
        rest = "<br>".join(html.escape(line) for line in self.lines() if not line.startswith(tuple(shown.index)))
        return f"<p>{rest}</p>{shown.to_html(float_format='{:.5g}'.format)}"


@dataclass(frozen=True, kw_only=True)
class CertificateInputs:
    """Fresh steered paths, and what else the certificate reports."""

    sample: SteeredSample
    spent: Floats
    largest_shift: float
    limited_share: float
    reference: SteeredSample
    statistics: tuple[BoundStatistic, ...]
    multipliers: tuple[float, ...]
    gain: float
    iterations: tuple[dict[str, Any], ...]
    settings: dict[str, Any]
    met: bool
    bounded: bool
    observed: SteeredSample | None = None
    """Fresh paths of the reference with the density ratio that the control gives them; ``None``: not known."""


def certify(inputs: CertificateInputs) -> SteeringCertificate:
    """Measure a steered law on fresh paths."""
    sample, n = inputs.sample, inputs.sample.n_paths
    tilt = log_tilt(sample, inputs.statistics, inputs.multipliers)
    log_weights = sample.log_ratio + tilt
    p = normalised(log_weights)
    other = inputs.observed
    if other is None:
        other = SteeredSample(tuple(values[:0] for values in sample.values), sample.log_ratio[:0])
    other_tilt = log_tilt(other, inputs.statistics, inputs.multipliers)
    partition = partition_estimate(tilt, sample.log_ratio, other_tilt, other.log_ratio)
    share = effective_share(log_weights)
    # influence of one path on KL_u - E_u[r] + log Z, times the number of steered paths
    own = inputs.spent - tilt + n * partition.steered / (n + other.n_paths)
    variance = float(own.var()) / n + float(partition.observed.var() if other.n_paths else 0.0) * other.n_paths / (
        (n + other.n_paths) ** 2
    )
    ratio, apart = _halves(log_weights)
    shape = pareto_shape(log_weights)
    reference = log_tilt(inputs.reference, inputs.statistics, inputs.multipliers)
    records = constraint_records(inputs, p)
    measured: dict[str, Any] = {
        "constraints": records,
        "n_paths": n,
        "n_observed_paths": other.n_paths,
        "log_partition": partition.log_value,
        "log_partition_error": partition.error,
        "log_partition_steered": log_mean_exp(log_weights),
        "path_divergence": float(inputs.spent.mean()),
        "path_divergence_error": float(inputs.spent.std() / math.sqrt(n)),
        "least_divergence": partition.weighted_mean(tilt, other_tilt) - partition.log_value,
        "gap": float(inputs.spent.mean()) - float(tilt.mean()) + partition.log_value,
        "gap_error": math.sqrt(variance),
        "effective_share": share,
        "pareto_shape": None if math.isnan(shape) else shape,
        "largest_weight": float(p.max() * n),
        "halves_effective_ratio": ratio,
        "halves_log_partition": apart,
        "largest_shift": inputs.largest_shift,
        "limited_share": inputs.limited_share,
        "plain_effective_share": effective_share(reference),
        "gain": inputs.gain,
        "iterations": inputs.iterations,
        "settings": inputs.settings,
    }
    verdict, reasons = judged(measured, met=inputs.met, bounded=inputs.bounded)
    return SteeringCertificate(verdict=verdict, reasons=reasons, **measured)


def constraint_records(inputs: CertificateInputs, probabilities: Floats) -> tuple[ConstraintRecord, ...]:
    """One record per statistic."""
    sample = inputs.sample
    equal = np.full(sample.n_paths, 1.0 / sample.n_paths)
    before = np.full(inputs.reference.n_paths, 1.0 / inputs.reference.n_paths)
    found = []
    for j, (s, multiplier) in enumerate(zip(inputs.statistics, inputs.multipliers, strict=True)):
        values = sample.values[j]
        plain, weighted = s.achieved(values, equal), s.achieved(values, probabilities)
        found.append(
            ConstraintRecord(
                title=s.title,
                level=s.level,
                reference=s.achieved(inputs.reference.values[j], before),
                unit=s.unit,
                multiplier=multiplier / s.multiplier_unit,
                multiplier_standardised=multiplier,
                unweighted=plain,
                unweighted_error=s.achieved_error(values, equal),
                weighted=weighted,
                weighted_error=s.achieved_error(values, probabilities),
                unweighted_bias=_bias(s, plain, multiplier),
                weighted_bias=_bias(s, weighted, multiplier),
            )
        )
    return tuple(found)


def _bias(statistic: BoundStatistic, value: float, multiplier: float) -> float:
    """Distance from the level in units; a reward, and an inequality that is slack and holds, have none."""
    bias = (value - statistic.level) / statistic.unit
    slack = multiplier == 0.0
    if statistic.relation is None or (slack and statistic.relation == ">=" and bias >= 0):
        return 0.0
    return 0.0 if slack and statistic.relation == "<=" and bias <= 0 else bias


def _halves(log_weights: Floats) -> tuple[float, float]:
    """Ratio (at least 1) of the halves' effective shares; difference of their log Z in standard errors."""
    halves = log_weights[0::2], log_weights[1::2]
    shares = [effective_share(h) for h in halves]
    errors = [float((len(h) * normalised(h)).std() / math.sqrt(len(h))) for h in halves]
    apart = abs(log_mean_exp(halves[0]) - log_mean_exp(halves[1]))
    error = math.hypot(*errors)
    return max(shares) / min(shares), apart / error if error > 0 else 0.0


def judged(measured: dict[str, Any], *, met: bool, bounded: bool) -> tuple[Verdict, tuple[str, ...]]:
    """Verdict and the reasons for it, from the measured numbers."""
    share: float = measured["effective_share"]
    records: Sequence[ConstraintRecord] = measured["constraints"]
    failures = [] if met else ["no law that meets the constraints was reached: ask for less, or more iterations"]
    if share < _LEAST_SHARE:
        failures.append(f"only {100 * share:.1f} % of the paths are effective")
    # a bias within its own noise is no evidence
    missed = [abs(c.weighted_bias) > max(_LARGEST_WEIGHTED_BIAS, 3.0 * c.weighted_error / c.unit) for c in records]
    pairs = list(zip(records, missed, strict=True))
    failures += [f"{c.title}: the weighted paths miss it by {c.weighted_bias:+.2f} sd" for c, out in pairs if out]
    doubts = [
        f"{c.title}: the unweighted paths miss it by {c.unweighted_bias:+.2f} sd"
        for c, out in pairs
        if not out and abs(c.unweighted_bias) > _SMALL_BIAS
    ]
    if _LEAST_SHARE <= share < _ENOUGH_SHARE:
        doubts.append(f"{100 * share:.0f} % of the paths are effective, less than {100 * _ENOUGH_SHARE:.0f} %")
    notes = _weight_notes(measured)
    if not bounded:
        if notes:
            failures.append("unbounded statistics with unstable weights: set SteeringConfig.bound_deviations")
        notes.append("the statistics are not bounded: with fat tails the tilt does not exist, whatever a sample says")
    if failures:
        return "failed", tuple(failures + doubts + notes)
    return ("weights-required" if doubts else "ok"), tuple(doubts + notes)


def _weight_notes(measured: dict[str, Any]) -> list[str]:
    """What is suspect about the weights themselves."""
    notes = []
    if measured["halves_effective_ratio"] > _UNSTABLE_RATIO or measured["halves_log_partition"] > _UNSTABLE_LOG_Z:
        notes.append("two halves of the paths disagree about the weights")
    left_out = -math.expm1(measured["log_partition_steered"] - measured["log_partition"])
    if left_out > max(_LEFT_OUT, 3.0 * measured["log_partition_error"]):
        notes.append(f"the steered paths leave out {100 * left_out:.0f} % of the tilt: rare paths with large weights")
    shape: float | None = measured["pareto_shape"]
    if shape is not None and shape > _HEAVY_TAIL:
        notes.append(f"the weights have a heavy tail (Pareto k {shape:.2f}): the largest ones decide")
    return notes


def worth_a_warning(certificate: SteeringCertificate, *, bounded: bool) -> str | None:
    """What a caller should be told even if the certificate is never read; ``None``: nothing."""
    if certificate.verdict != "failed" and bounded:
        return None
    return f"steering ended with verdict {certificate.verdict!r}: " + "; ".join(certificate.reasons) + "."
