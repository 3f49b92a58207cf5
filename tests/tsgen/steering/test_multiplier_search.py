"""Multipliers on weighted samples: closed forms, agreement with entropy pooling, the trust region."""

import numpy as np
import pytest

from tsgen import ScenarioSet
from tsgen.reweighting import CVaRView, entropy_pooling_report
from tsgen.steering import (
    EventProbability,
    ExpectedShortfall,
    RiskConstraint,
    SteeringError,
    TerminalLoss,
    TerminalReturn,
)
from tsgen.steering.bound_statistic import BoundedMean, weighted_quantile
from tsgen.steering.multiplier_search import find_multipliers, trusted_step
from tsgen.steering.statistic_binding import bind_constraints, bind_reward
from tsgen.steering.steered_sample import SteeredSample, effective_share, log_tilt, normalised

EVENT = EventProbability(TerminalLoss(of="A", loss=0.1))


def sample(values, log_ratio=None):
    values = [np.asarray(v, dtype=np.float64) for v in np.atleast_2d(values)]
    return SteeredSample(tuple(values), np.zeros(len(values[0])) if log_ratio is None else log_ratio)


def bound(functional, relation, level, values, limit=5.0):
    return bind_constraints([RiskConstraint(functional, relation, level)], [values], bound=limit)


def test_the_multiplier_of_an_event_is_a_difference_of_log_odds():
    values = np.zeros(1000)
    values[:20] = 1.0
    found = find_multipliers(sample(values), bound(EVENT, "==", 0.5, values), [0.0])
    assert found.multipliers[0] == pytest.approx(np.log(0.98 / 0.02), rel=1e-9)
    assert found.met


def test_the_multiplier_of_a_gaussian_mean_is_the_shift():
    """Tilt of N(0,1) by lambda moves the mean by lambda; standard error of the sample's dual is below 3 / sqrt(n)."""
    values = np.random.default_rng(0).standard_normal(200_000)
    found = find_multipliers(sample(values), bound(TerminalReturn("A"), "==", -1.0, values), [0.0])
    assert found.multipliers[0] == pytest.approx(-1.0, abs=0.02)


@pytest.mark.parametrize(("functional", "level"), [(TerminalReturn("A"), 2.5), (ExpectedShortfall("A", 0.95), 4.0)])
def test_the_plain_mean_is_met_although_the_tilt_is_bounded(functional, level):
    """Student t with 3 degrees of freedom: much is beyond five deviations of the sample once the tail is heavier."""
    values = np.random.default_rng(4).standard_t(3, 100_000)
    (own,) = bound(functional, "==", level, values)
    found = find_multipliers(sample(values), (own,), [0.0])
    (statistic,) = found.statistics
    probabilities = normalised(log_tilt(sample(values), (statistic,), found.multipliers))
    assert found.met
    assert statistic.achieved(values, probabilities) == pytest.approx(level, abs=2e-3 * own.unit)  # where it stops
    bounded = np.clip(values, own.lower, own.upper)
    assert level - statistic.achieved(bounded, probabilities) > 0.02 * own.unit  # the test sees what is cut off


def test_steered_paths_give_the_references_multipliers():
    """Paths of N(-1, 1) with their density ratio are a sample of N(0, 1)."""
    rng = np.random.default_rng(1)
    reference = rng.standard_normal(100_000)
    steered = rng.standard_normal(100_000) - 1.0
    statistics = bound(TerminalReturn("A"), "==", -1.5, reference)
    ratio = 0.5 * (steered + 1.0) ** 2 - 0.5 * steered**2
    found = find_multipliers(sample(steered, ratio), statistics, [0.0])
    assert found.multipliers[0] == pytest.approx(-1.5, abs=0.03)
    unweighted = find_multipliers(sample(steered), statistics, [0.0])
    assert abs(unweighted.multipliers[0] + 1.5) > 0.5


@pytest.mark.parametrize(
    ("relation", "level", "sign"), [(">=", -1.0, 0), ("<=", -1.0, -1), (">=", 1.0, 1), ("<=", 1.0, 0)]
)
def test_inequalities_push_one_way_only(relation, level, sign):
    values = np.random.default_rng(2).standard_normal(20_000)
    found = find_multipliers(sample(values), bound(TerminalReturn("A"), relation, level, values), [0.0])
    assert np.sign(found.multipliers[0]) == sign


@pytest.mark.parametrize(("relation", "factor"), [(">=", 1.4), ("<=", 0.8), ("==", 1.2), ("==", 0.9)])
def test_expected_shortfalls_agree_with_entropy_pooling(relation, factor):
    rng = np.random.default_rng(3)
    returns = 0.05 * rng.standard_t(8, size=4000)
    scenarios = ScenarioSet(returns[:, None, None], assets=["A"], kind="simple")
    losses = ExpectedShortfall("A", 0.9)(scenarios)
    quantile = np.sort(losses)[-400:].mean()
    statistics = bound(ExpectedShortfall("A", 0.9), relation, factor * quantile, losses, limit=None)
    found = find_multipliers(sample(losses), statistics, [0.0])
    tilt = log_tilt(sample(losses), found.statistics, found.multipliers)
    p = normalised(tilt)
    assert found.statistics[0].achieved(losses, p) == pytest.approx(factor * quantile, rel=5e-3)
    report = entropy_pooling_report(
        scenarios, [CVaRView(of="A", level=0.9, target=factor * quantile, relation=relation)]
    )
    divergence = float((p * np.log(p * len(p))).sum())
    # the threshold is found on a grid, and the divergence is flat there
    assert divergence == pytest.approx(report.divergence, rel=2e-2)


def test_a_step_stops_where_few_paths_are_effective():
    values = np.random.default_rng(4).standard_normal(5000)
    statistics = bound(TerminalReturn("A"), "==", -3.0, values)
    step, arrived = trusted_step(sample(values), statistics, [0.0], [-3.0], smallest_share=0.1)
    share = effective_share(log_tilt(sample(values), statistics, step))
    assert not arrived
    assert 0.1 <= share < 0.2
    assert trusted_step(sample(values), statistics, [0.0], [-0.1], smallest_share=0.1) == ((-0.1,), True)


def test_unreachable_levels_are_refused_with_what_is_reachable():
    values = np.random.default_rng(5).standard_normal(1000)
    with pytest.raises(SteeringError, match="cannot be reached: the reference has mean"):
        bound(TerminalReturn("A"), "==", 9.0, values)
    assert bound(TerminalReturn("A"), "<=", 9.0, values)  # slack, not unreachable
    with pytest.raises(SteeringError, match="never happens on 1000 reference"):
        bound(EVENT, "==", 0.5, np.zeros(1000))
    with pytest.raises(SteeringError, match="the same on every reference path"):
        bound(TerminalReturn("A"), "==", 0.1, np.ones(1000))
    with pytest.raises(SteeringError, match="cannot be reached: the reference has"):
        bound(ExpectedShortfall("A"), ">=", 99.0, values)


def test_statistics_are_winsorised_unless_told_otherwise():
    values = np.append(np.random.default_rng(6).standard_normal(1000), 1e3)
    (winsorised,) = bound(TerminalReturn("A"), "==", 1.0, values)
    assert isinstance(winsorised, BoundedMean)
    assert winsorised.standardised(values).max() == pytest.approx(5.0, abs=0.2)
    (free,) = bound(TerminalReturn("A"), "==", 1.0, values, limit=None)
    assert free.standardised(values).max() > 20
    reward = bind_reward(TerminalReturn("A"), values, bound=5.0)
    assert reward.target == pytest.approx(0.0)


def test_weighted_quantiles():
    assert weighted_quantile(np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.5, 0.3]), 0.9) == 3.0
