"""Ranks, scores and tail forecasts from one sort equal their definitions with a member left out."""

import math

import numpy as np
import pytest
import scoringrules

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.pooled_ensemble import PooledEnsemble, checked_tail_position


@pytest.fixture
def records():
    rng = np.random.default_rng(0)
    return rng.standard_normal(7), rng.standard_normal((7, 40))


def others(realised, scenarios, member):
    pool = np.concatenate([realised[:, None], scenarios], axis=1)
    return pool[:, member], np.delete(pool, member, axis=1)


def test_score_equals_that_of_scoringrules_for_every_member(records):
    pool = PooledEnsemble.of(*records, n_stand_ins=40, rng=np.random.default_rng(1))
    for member in (0, 1, 17, 40):
        own, rest = others(*records, member)
        # rounding of sums of 40 numbers
        np.testing.assert_allclose(
            pool.crps()[:, member], scoringrules.crps_ensemble(own, rest, estimator="fair"), rtol=1e-12, atol=1e-14
        )


def test_score_of_a_normal_forecast_is_its_closed_form():
    rng = np.random.default_rng(0)
    realised = np.repeat([-1.0, 0.0, 2.0], 400)
    pool = PooledEnsemble.of(realised, rng.standard_normal((1200, 200)), n_stand_ins=0, rng=rng)
    measured = pool.crps()[:, 0].reshape(3, 400)
    for row, z in zip(measured, (-1.0, 0.0, 2.0), strict=True):
        cdf, density = 0.5 * math.erfc(-z / math.sqrt(2)), math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        exact = z * (2 * cdf - 1) + 2 * density - 1 / math.sqrt(math.pi)  # Gneiting, Raftery (2007), section 4.2
        assert abs(row.mean() - exact) < 4 * row.std() / 20


@pytest.mark.parametrize("level", [0.9, 0.95, 0.96, 0.975])
def test_tail_forecasts_leave_the_member_out(records, level):
    tail = PooledEnsemble.of(*records, n_stand_ins=40, rng=np.random.default_rng(1)).tail(level)
    for member in range(41):
        own, rest = others(*records, member)
        position = round((1 - level) * 41, 9)
        whole = int(position)
        worst = -np.sort(rest, axis=1)
        shortfall = (worst[:, :whole].sum(axis=1) + (position - whole) * worst[:, whole]) / position
        np.testing.assert_allclose(tail.losses[:, member], -own)
        np.testing.assert_allclose(tail.var[:, member], np.quantile(-rest, level, axis=1, method="weibull"))
        np.testing.assert_allclose(tail.es[:, member], shortfall)


def test_exceedance_probability_is_exact_for_a_finite_ensemble():
    rng = np.random.default_rng(0)
    n, level = 20_000, 0.95
    tail = PooledEnsemble.of(rng.standard_normal(n), rng.standard_normal((n, 19)), n_stand_ins=0, rng=rng).tail(level)
    rate = float((tail.losses > tail.var).mean())
    assert abs(rate - 0.05) < 4 * math.sqrt(0.05 * 0.95 / n)
    # the plain quantile of the ensemble is exceeded far too often: the variant that must fail
    plain = np.quantile(-rng.standard_normal((n, 19)), level, axis=1)
    assert (rng.standard_normal(n) > plain).mean() > 0.06


def test_ties_are_broken_at_random():
    rng = np.random.default_rng(0)
    pool = PooledEnsemble.of(np.zeros(4000), np.zeros((4000, 9)), n_stand_ins=0, rng=rng)
    counts = np.bincount(pool.ranks[:, 0], minlength=10)
    # each of ten ranks: 400 +- 19
    assert np.abs(counts - 400).max() < 5 * 19
    pit = pool.randomised_pit(rng=rng)
    assert pit.min() > 0.0
    assert pit.max() < 1.0


def test_bad_pools_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError, match=r"realised must be \(date,\)"):
        PooledEnsemble.of(np.zeros(3), np.zeros((4, 5)), n_stand_ins=0, rng=rng)
    with pytest.raises(DataError, match="realised must be finite: 1"):
        PooledEnsemble.of(np.array([0.0, np.nan]), np.ones((2, 5)), n_stand_ins=0, rng=rng)
    with pytest.raises(DataError, match="scenarios must be finite: 10"):
        PooledEnsemble.of(np.zeros(2), np.full((2, 5), np.nan), n_stand_ins=0, rng=rng)
    with pytest.raises(DataError, match="at least 2 scenarios per date: got 1"):
        PooledEnsemble.of(np.zeros(3), np.ones((3, 1)), n_stand_ins=1, rng=rng).crps()
    with pytest.raises(ConfigError, match="between 0 and the 5 scenarios"):
        PooledEnsemble.of(np.zeros(4), np.zeros((4, 5)), n_stand_ins=6, rng=rng)
    with pytest.raises(ConfigError, match=r"between 0\.5 and 1"):
        checked_tail_position(0.01, 100)
    with pytest.raises(DataError, match="needs at least 99 scenarios"):
        checked_tail_position(0.99, 98)
    assert checked_tail_position(0.99, 99) == 1.0
