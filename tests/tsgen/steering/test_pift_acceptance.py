"""Steering at full strength against large samples of the reference: the GARCH mixture with its exact velocity.

Truth is the dual on 200,000 paths of the reference chain. Rows A7 to A15 of the design; the experiment script
``examples/experiments/pift/run.py`` has three seeds of each and the trained generator.
"""

import dataclasses
import warnings

import numpy as np
import pytest

from tests.support.garch_mixture import garch_mixture
from tests.support.weighted_ks import weighted_ks
from tsgen import ScenarioSet
from tsgen.steering import (
    BarrierHit,
    EventProbability,
    MaxDrawdown,
    RealisedVolatility,
    RiskConstraint,
    SteeringConfig,
    SteeringWarning,
    TerminalLoss,
    TerminalReturn,
    steer,
)
from tsgen.steering.certificate import CertificateInputs, certify
from tsgen.steering.controlled_chain import ControlledChain, simulate_block
from tsgen.steering.multiplier_search import find_multipliers
from tsgen.steering.portfolio_book import PortfolioBook
from tsgen.steering.simulated_paths import simulate_paths
from tsgen.steering.statistic_binding import bind_constraints
from tsgen.steering.steered_sample import SteeredSample, effective_share, log_tilt, normalised, sample_of

pytestmark = pytest.mark.slow
HORIZON, N_REFERENCE = 20, 200_000


@pytest.fixture(scope="module")
def reference():
    return garch_mixture()


@pytest.fixture(scope="module")
def truth(reference):
    """Functionals of 200,000 paths of the reference chain."""
    book = PortfolioBook.of([TerminalReturn("x")], reference.assets)
    chain = ControlledChain(reference=reference, book=book, horizon=HORIZON, n_steps=16, block_size=10_000)
    parts = []
    for block in range(N_REFERENCE // chain.block_size):
        tape = simulate_block(chain, None, n_periods=HORIZON, seed=77, purpose="truth", block=block)
        parts.append(measured(ScenarioSet.from_tensor(tape.returns, assets=["x"], kind="log")))
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def measured(scenarios):
    growth = scenarios.growth()[:, :, 0]
    short = ScenarioSet(scenarios.returns[:, :5], assets=["x"], kind="log")
    return {
        "terminal": TerminalReturn("x")(scenarios),
        "volatility": RealisedVolatility("x")(scenarios),
        "drawdown": MaxDrawdown("x")(scenarios),
        "lowest": growth.min(axis=1),
        "first week": TerminalReturn("x")(short),
        "worst day": scenarios.returns[:, :, 0].min(axis=1),
        "last day": scenarios.returns[:, -1, 0],
    }


def dual(constraint, values):
    """Multiplier, log Z and probabilities of the exact tilt on the large sample."""
    statistics = bind_constraints([constraint], [values], bound=5.0)
    large = SteeredSample((values,), np.zeros(len(values)))
    found = find_multipliers(large, statistics, [0.0])
    tilt = log_tilt(large, found.statistics, found.multipliers)
    return found.multipliers[0], float(np.log(np.exp(tilt).mean())), tilt


def deviations(values, k):
    return float(values.mean() + k * values.std())


@pytest.fixture(scope="module")
def moderate(reference, truth):
    """Terminal return two deviations down."""
    constraint = RiskConstraint(TerminalReturn("x"), "==", deviations(truth["terminal"], -2.0))
    return constraint, steer(reference, constraint, horizon=HORIZON, seed=0)


def test_a7_log_z_agrees_with_the_reference_and_the_law_is_close(moderate, truth):
    constraint, steered = moderate
    c = steered.certificate
    multiplier, log_z, tilt = dual(constraint, truth["terminal"])
    reference_error = np.sqrt((1 / effective_share(tilt) - 1) / N_REFERENCE)
    assert abs(c.log_partition - log_z) < 4 * np.hypot(c.log_partition_error, reference_error) + 0.05
    assert c.constraints[0].multiplier_standardised == pytest.approx(multiplier, rel=0.08)
    assert c.effective_share > 0.4
    assert c.effective_share > 10 * effective_share(tilt)
    assert abs(c.constraints[0].unweighted_bias) < 0.15
    assert abs(c.constraints[0].weighted_bias) < 0.10


def test_a14_weighted_marginals_are_those_of_the_reweighted_reference(moderate, truth):
    constraint, steered = moderate
    exact = normalised(dual(constraint, truth["terminal"])[2])
    drawn = steered.sample(8000, seed=5)
    own, equal = measured(drawn), np.full(N_REFERENCE, 1 / N_REFERENCE)
    distances = {k: weighted_ks(own[k], drawn.weights, truth[k], exact) for k in own}
    assert max(distances.values()) < 0.05
    assert weighted_ks(own["terminal"], drawn.weights, truth["terminal"], equal) > 0.3  # the test sees a tilt


def test_a13_candidates_raise_the_effective_share(moderate, reference):
    _, steered = moderate
    shares = {}
    for m in (1, 4):
        chain = dataclasses.replace(steered.chain, n_candidates=m)
        tape = simulate_paths(chain, steered.policy, 6000, n_periods=HORIZON, seed=11, purpose="shares")
        sample = sample_of(tape, chain.book.functionals, reference, HORIZON)
        tilt = log_tilt(sample, steered.policy.statistics, steered.policy.multipliers)
        shares[m] = effective_share(sample.log_ratio + tilt)
    assert shares[4] > shares[1] + 0.08


@pytest.mark.parametrize(("name", "share"), [("event", 0.01), ("barrier", 0.02)])
def test_a10_a11_rare_events_become_even_odds(reference, truth, name, share):
    if name == "event":
        level = float(np.quantile(truth["terminal"], share))
        event, happened = TerminalLoss(of="x", loss=-level), truth["terminal"] <= level
    else:
        level = float(np.quantile(truth["lowest"], share))
        event, happened = BarrierHit(of="x", barrier=level - 1.0), truth["lowest"] <= level
    steered = steer(reference, RiskConstraint(EventProbability(event), "==", 0.5), horizon=HORIZON, seed=0)
    c = steered.certificate
    (row,) = c.constraints
    p = float(happened.mean())
    # closed form of an event whose probability becomes q: KL* = q log(q / p) + (1 - q) log((1 - q) / (1 - p))
    # with q of the steered law's own tilt, from the large sample: the steered paths alone leave some of it out
    large = SteeredSample((happened.astype(float),), np.zeros(len(happened)))
    weights = np.exp(log_tilt(large, steered.policy.statistics, steered.policy.multipliers))
    q = float(weights[happened].sum() / weights.sum())
    least = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
    assert abs(row.unweighted - 0.5) < 0.08
    assert c.effective_share > 0.45
    assert abs(row.weighted - 0.5) < 0.03 + 3 * row.weighted_error
    assert c.least_divergence == pytest.approx(least, abs=0.08)
    assert row.multiplier_standardised == pytest.approx(-np.log(p / (1 - p)), abs=0.25)
    # log Z of the same tilt, which the steered paths alone miss by several of their errors
    error = np.hypot(c.log_partition_error, weights.std() / weights.mean() / np.sqrt(len(weights)))
    assert c.log_partition == pytest.approx(np.log(weights.mean()), abs=4 * error)
    assert c.log_partition_error < 0.03


def test_a12_a_deep_drawdown(reference, truth):
    constraint = RiskConstraint(MaxDrawdown("x"), "==", deviations(truth["drawdown"], 2.5))
    c = steer(reference, constraint, horizon=HORIZON, seed=0).certificate
    assert abs(c.constraints[0].unweighted_bias) < 0.2
    assert abs(c.constraints[0].weighted_bias) < 0.15
    assert c.effective_share > 0.4


def test_a15_without_bounds_the_layer_says_so(reference, truth):
    """The unbounded tilt of a fat-tailed law does not exist: the warning names it, whatever the sample looks like."""
    constraint = RiskConstraint(TerminalReturn("x"), "==", deviations(truth["terminal"], -2.5))
    config = SteeringConfig(bound_deviations=None, n_iterations=2, gain_band=None, n_certificate_paths=2000)
    with pytest.warns(SteeringWarning, match="not bounded"):
        steer(reference, constraint, horizon=HORIZON, seed=0, config=config)


def test_a15_the_unbounded_weights_of_the_reference_itself_are_unstable(truth):
    """Re-weighting the reference with an unbounded statistic: heavy weights, and halves that disagree."""
    values = truth["terminal"]
    constraint = RiskConstraint(TerminalReturn("x"), "==", deviations(values, -2.5))
    verdicts = {}
    for bound in (None, 5.0):
        statistics = bind_constraints([constraint], [values], bound=bound)
        large = SteeredSample((values,), np.zeros(len(values)))
        found = find_multipliers(large, statistics, [0.0])
        inputs = CertificateInputs(
            sample=large,
            spent=np.zeros(len(values)),
            largest_shift=0.0,
            limited_share=0.0,
            reference=large,
            statistics=found.statistics,
            multipliers=found.multipliers,
            gain=1.0,
            iterations=(),
            settings={},
            met=True,
            bounded=bound is not None,
        )
        with warnings.catch_warnings():
            verdicts[bound] = certify(inputs)
    assert verdicts[None].pareto_shape > 0.7
    assert verdicts[None].effective_share < 0.7 * verdicts[5.0].effective_share
    assert any("not bounded" in r for r in verdicts[None].reasons)
