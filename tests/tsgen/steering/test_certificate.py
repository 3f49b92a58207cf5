"""The certificate's numbers against Gaussian closed forms, its verdicts, and its outlets."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from tsgen.steering.bound_statistic import BoundedMean
from tsgen.steering.certificate import (
    CertificateInputs,
    SteeringCertificate,
    certify,
    judged,
    worth_a_warning,
)
from tsgen.steering.pareto_tail import pareto_shape
from tsgen.steering.partition_estimate import partition_estimate
from tsgen.steering.steered_sample import SteeredSample

N = 100_000


def inputs(shift, *, multiplier=-1.0, relation="==", level=-1.0, met=True, bounded=True, seed=0):
    """Reference N(0, 1), tilt N(multiplier, 1), steered law N(shift, 1)."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(N) + shift
    ratio = 0.5 * (x - shift) ** 2 - 0.5 * x**2
    statistic = BoundedMean(
        title="terminal return of A", relation=relation, level=level, centre=0.0, unit=1.0, lower=-50.0, upper=50.0
    )
    return CertificateInputs(
        sample=SteeredSample((x,), ratio),
        spent=np.full(N, 0.5 * shift**2),
        largest_shift=abs(shift),
        limited_share=0.0,
        reference=SteeredSample((rng.standard_normal(20_000),), np.zeros(20_000)),
        statistics=(statistic,),
        multipliers=(multiplier,),
        gain=1.0,
        iterations=({"iteration": 0},),
        settings={"horizon": 1},
        met=met,
        bounded=bounded,
    )


def test_the_exact_tilt_is_certified_as_such():
    """KL* = lambda^2 / 2, log Z of the tilt centred at its own mean -1: lambda^2 / 2 - lambda^2 = -1/2, gap 0."""
    c = certify(inputs(-1.0))
    assert c.verdict == "ok"
    assert c.effective_share == pytest.approx(1.0, abs=1e-9)
    assert c.log_partition == pytest.approx(-0.5, abs=1e-9)
    assert c.path_divergence == pytest.approx(0.5)
    assert c.gap == pytest.approx(0.0, abs=4 * c.gap_error + 1e-9)
    assert c.least_divergence == pytest.approx(0.5, abs=4 / math.sqrt(N))
    assert c.plain_effective_share == pytest.approx(math.exp(-1.0), abs=0.03)  # E[e^x]^2 / E[e^2x] = e^-1


def test_a_law_between_reference_and_tilt_has_the_gap_of_two_gaussians():
    c = certify(inputs(-0.6))
    assert c.gap == pytest.approx(0.5 * 0.4**2, abs=4 * c.gap_error)
    assert c.constraints[0].unweighted_bias == pytest.approx(0.4, abs=4 / math.sqrt(N))
    assert abs(c.constraints[0].weighted_bias) < 4 * c.constraints[0].weighted_error
    assert c.log_partition == pytest.approx(-0.5, abs=4 * c.log_partition_error)
    assert c.effective_share == pytest.approx(math.exp(-(0.4**2)), abs=0.02)
    assert c.verdict == "weights-required"
    assert "unweighted paths miss it by +0.40 sd" in c.reasons[0]


def test_errors_are_those_of_repetition():
    """Standard errors against the spread over 40 independent samples (chi-square: within a third of the truth)."""
    runs = [certify(inputs(-0.6, seed=s)) for s in range(40)]
    for value, error in (("gap", "gap_error"), ("log_partition", "log_partition_error")):
        spread = np.std([getattr(c, value) for c in runs], ddof=1)
        assert spread == pytest.approx(np.mean([getattr(c, error) for c in runs]), rel=0.4)


def test_verdicts():
    assert certify(inputs(-1.0, met=False)).verdict == "failed"
    assert certify(inputs(0.0, multiplier=-2.5, level=-2.5)).verdict == "failed"  # too few effective paths
    missed = certify(inputs(-1.0, level=-2.0))
    assert missed.verdict == "failed"
    assert "the weighted paths miss it" in missed.reasons[0]
    free = certify(inputs(-1.0, bounded=False))
    assert free.verdict == "ok"
    assert "not bounded" in free.reasons[0]
    assert worth_a_warning(free, bounded=False) is not None
    assert worth_a_warning(certify(inputs(-1.0)), bounded=True) is None


def test_unstable_weights_of_unbounded_statistics_fail():
    measured = dict.fromkeys(("halves_log_partition",), 0.0) | {
        "effective_share": 0.5,
        "constraints": (),
        "halves_effective_ratio": 4.0,
        "pareto_shape": 0.5,
        "log_partition": 0.0,
        "log_partition_steered": 0.0,
        "log_partition_error": 0.01,
    }
    assert judged(measured, met=True, bounded=True)[0] == "ok"
    assert judged(measured, met=True, bounded=False)[0] == "failed"
    assert (
        judged(measured | {"halves_effective_ratio": 1.0, "pareto_shape": 0.8}, met=True, bounded=False)[0] == "failed"
    )


def test_log_z_from_both_sides_covers_what_a_narrow_law_leaves_out():
    """Tilt N(-1, 1), steered law N(-1, 1/2): its own weights leave the flanks out; both sides do not.

    log Z = -1/2 as above. The weights of the steered paths alone have infinite variance (their own error is wrong).
    """
    n, outside = 2000, {"both": 0, "alone": 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, y = 0.5 * rng.standard_normal(n) - 1.0, rng.standard_normal(n)

        def ratio(z):
            return 0.5 * ((z + 1.0) / 0.5) ** 2 - 0.5 * z**2 + math.log(0.5)

        both = partition_estimate(-(x + 1.0), ratio(x), -(y + 1.0), ratio(y))
        alone = partition_estimate(-(x + 1.0), ratio(x), y[:0], y[:0])
        outside["both"] += abs(both.log_value + 0.5) > 2.5 * both.error
        outside["alone"] += abs(alone.log_value + 0.5) > 2.5 * alone.error
        assert both.error < 0.05
    assert outside["both"] <= 4  # 2.5 errors: one run in 80; 5 of 60 has probability 0.001
    assert outside["alone"] > outside["both"]


def test_paths_of_the_reference_enter_the_certificate():
    narrow = inputs(-1.0)
    observed = narrow.reference
    ratio = 0.5 * (observed.values[0] + 1.0) ** 2 - 0.5 * observed.values[0] ** 2
    c = certify(replace(narrow, observed=SteeredSample(observed.values, ratio)))
    assert c.n_observed_paths == observed.n_paths
    assert c.log_partition == pytest.approx(-0.5, abs=4 * c.log_partition_error + 1e-9)
    assert c.gap == pytest.approx(0.0, abs=4 * c.gap_error)
    assert c.least_divergence == pytest.approx(0.5, abs=4 / math.sqrt(N))
    half = certify(replace(narrow, observed=SteeredSample(observed.values, ratio + 3.0)))  # a wrong ratio must show
    assert abs(half.log_partition + 0.5) > 10 * half.log_partition_error


def test_mass_that_the_steered_paths_leave_out_is_named():
    measured = {"effective_share": 0.5, "constraints": (), "halves_effective_ratio": 1.0, "halves_log_partition": 0.0}
    measured |= {"pareto_shape": None, "log_partition": 0.0, "log_partition_error": 0.01}
    assert judged(measured | {"log_partition_steered": -0.02}, met=True, bounded=True) == ("ok", ())
    _, reasons = judged(measured | {"log_partition_steered": -0.12}, met=True, bounded=True)
    assert "leave out 11 % of the tilt" in reasons[0]


def test_an_inequality_that_holds_with_room_has_no_bias():
    c = certify(inputs(0.0, multiplier=0.0, relation=">=", level=-1.0))
    assert c.constraints[0].unweighted_bias == 0.0
    assert c.verdict == "ok"
    wrong_side = certify(inputs(0.0, multiplier=0.0, relation=">=", level=1.0))
    assert wrong_side.verdict == "failed"


def test_outlets_agree():
    c = certify(inputs(-0.6))
    again = SteeringCertificate.from_dict(json.loads(c.to_json()))
    assert again == c
    assert c.table.loc["terminal return of A", "level"] == -1.0
    text = "\n".join(c.lines())
    assert "verdict: weights-required" in text
    assert "terminal return of A" in c._repr_html_()
    assert "weights-required" in repr(c)


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_the_tail_shape_is_found(shape):
    """Weights with exact Pareto tails; the error of k-hat on 3,000 tail points is about 0.03."""
    rng = np.random.default_rng(0)
    assert pareto_shape(shape * rng.exponential(size=1_000_000)) == pytest.approx(shape, abs=0.1)


def test_equal_or_few_weights_have_no_tail():
    assert math.isnan(pareto_shape(np.zeros(1000)))
    assert math.isnan(pareto_shape(np.zeros(10)))
