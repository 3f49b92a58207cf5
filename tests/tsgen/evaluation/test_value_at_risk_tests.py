"""Value at risk backtests against published numbers, a second implementation, and simulation."""

import numpy as np
import pytest
import vartests

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.value_at_risk_tests import (
    conditional_coverage_test,
    duration_statistic,
    duration_test,
    exceedances,
    independence_statistic,
    independence_test,
    kupiec_statistic,
    kupiec_test,
)


def published_record():
    """1043 days with 57 exceedances, four of them on the day after another one: N11 = 4, N01 = N10 = 53, N00 = 932.

    The counts of the equity example in the documentation of `varbacktest` (MathWorks Risk Management Toolbox,
    pages pof, cci and cc).
    """
    hits = np.zeros(1043, dtype=bool)
    hits[10 : 10 + 53 * 15 : 15] = True
    hits[[11, 26, 41, 56]] = True
    return hits


def test_published_values_of_the_likelihood_ratio_tests():
    hits = published_record()
    before, now = hits[:-1], hits[1:]
    assert [int((~before & ~now).sum()), int((before & ~now).sum()), int((~before & now).sum())] == [932, 53, 53]
    pof, cci, cc = (kupiec_test(hits, level=0.95), independence_test(hits), conditional_coverage_test(hits, level=0.95))
    # printed to five digits
    assert (round(pof.statistic, 5), round(pof.p_value, 5)) == (0.46147, 0.49694)
    assert (round(cci.statistic, 5), round(cci.p_value, 5)) == (0.25866, 0.61104)
    assert (round(cc.statistic, 5), round(cc.p_value, 5)) == (0.72013, 0.69763)


def test_published_decisions_of_the_coverage_test():
    # MathWorks, risk.validation.proportionOfFailuresTest: 3 events in 250 trials reject 5 %, not 1 %
    hits = np.arange(250) < 3
    assert kupiec_test(hits, level=0.95).p_value < 0.05 < kupiec_test(hits, level=0.99).p_value


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_agreement_with_vartests(seed, rate):
    hits = np.random.default_rng(seed).random(800) < rate
    kupiec = vartests.kupiec_test(hits, risk_conf_level=1 - rate)
    assert kupiec_test(hits, level=1 - rate).statistic == pytest.approx(kupiec["statistic"], abs=1e-10)
    duration = vartests.duration_test(hits)
    # their search stops at a shape known to 1e-5; the likelihood is flat there
    assert duration_test(hits).statistic == pytest.approx(duration["statistic"], abs=1e-6)


def test_records_that_begin_or_end_with_an_exceedance_are_not_censored_there():
    hits = np.zeros(300, dtype=bool)
    hits[[0, 20, 90, 91, 299]] = True
    assert duration_test(hits).statistic == pytest.approx(vartests.duration_test(hits)["statistic"], abs=1e-6)


def test_many_records_at_once_equal_one_by_one():
    hits = np.random.default_rng(0).random((400, 3, 2)) < 0.03
    for statistic in (
        lambda h: kupiec_statistic(h, level=0.97),
        independence_statistic,
        duration_statistic,
    ):
        together = statistic(hits)
        alone = [[float(statistic(hits[:, i, j])) for j in range(2)] for i in range(3)]
        np.testing.assert_allclose(together, alone, rtol=1e-10)


def test_size_under_independent_exceedances_and_power_against_clusters():
    rng = np.random.default_rng(0)
    true = rng.random((2000, 400)) < 0.05
    for statistic, critical in ((kupiec_statistic(true, level=0.95), 3.841), (independence_statistic(true), 3.841)):
        # 400 records: 5 % +- 1.1 %; asymptotics at 100 exceedances are good to about 1 %
        assert abs((statistic > critical).mean() - 0.05) < 0.04
    state = (np.cumsum(rng.random((2000, 50)) < 0.02, axis=0) % 2).astype(bool)
    clustered = rng.random((2000, 50)) < np.where(state, 0.15, 0.003)
    assert (duration_statistic(clustered) > 3.841).mean() > 0.9
    assert (kupiec_statistic(rng.random((2000, 50)) < 0.08, level=0.95) > 3.841).mean() > 0.95


def test_no_exceedance_at_all():
    none = np.zeros(250, dtype=bool)
    assert kupiec_test(none, level=0.99).statistic == pytest.approx(-2 * 250 * np.log(0.99))
    assert independence_statistic(none) == 0.0
    assert np.isnan(duration_statistic(none))


def test_bad_records_are_refused():
    with pytest.raises(ShapeError, match="same shape"):
        exceedances([0.1, 0.2], [0.1])
    with pytest.raises(DataError, match="var must be finite: 1"):
        exceedances([0.1, 0.2], [0.1, np.nan])
    with pytest.raises(ConfigError, match=r"between 0\.5 and 1"):
        kupiec_test([0, 1, 0], level=0.05)
    with pytest.raises(ShapeError, match="one record of at least two days"):
        kupiec_test([[0, 1]], level=0.95)
    with pytest.raises(DataError, match="true or false on every day"):
        kupiec_test([0.0, 0.5], level=0.95)
    with pytest.raises(DataError, match="cannot be tested without one: none in 9 days"):
        independence_test(np.zeros(9))
    with pytest.raises(DataError, match="cannot be tested without one"):
        conditional_coverage_test(np.zeros(9), level=0.95)
    with pytest.raises(DataError, match="without a quiet day: all 9 days exceed"):
        independence_test(np.ones(9))
    with pytest.raises(ShapeError, match="at least one day"):
        exceedances([], [])
    for statistic in (lambda h: kupiec_statistic(h, level=0.95), independence_statistic, duration_statistic):
        # ~0 and ~1 of integers are -1 and -2: counts, and so the statistic, would silently be wrong
        for wrong in (np.array([0, 1, 1, 0, 0, 1]), np.array([0.0, 1.0, np.nan])):
            with pytest.raises(DataError, match="hits must be boolean"):
                statistic(wrong)
        with pytest.raises(ShapeError, match="at least two days"):
            statistic(np.array([True]))
    with pytest.raises(DataError, match="at least two durations"):
        duration_test(np.zeros(9))
