"""Acerbi-Szekely tests against published critical values and closed forms."""

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student_t

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.expected_shortfall_tests import expected_shortfall_test, z1_statistic, z2_statistic

LEVEL = 0.975


def normal_tail(level=LEVEL):
    quantile = norm.ppf(level)
    return quantile, norm.pdf(quantile) / (1 - level)


def student_tail(dof, level=LEVEL):
    quantile = student_t.ppf(level, dof)
    return quantile, student_t.pdf(quantile, dof) / (1 - level) * (dof + quantile**2) / (dof - 1)


def simulated_z2(draws, tail):
    return z2_statistic(draws, np.full((len(draws), 1), tail[0]), np.full((len(draws), 1), tail[1]), level=LEVEL)


@pytest.mark.parametrize(
    ("dof", "published"),
    # Acerbi, Szekely (2014), table 1: 5 % critical values of Z2, 97.5 %, 250 days
    [(np.inf, -0.70), (3, -0.82)],
)
def test_published_critical_values_of_one_year(dof, published):
    rng = np.random.default_rng(0)
    shape = (250, 20_000)
    draws = rng.standard_normal(shape) if dof == np.inf else rng.standard_t(dof, shape)
    tail = normal_tail() if dof == np.inf else student_tail(dof)
    null = simulated_z2(draws, tail)
    # printed to two digits; a 5 % quantile of 20,000 draws of spread 0.4 has an error of 0.006
    assert abs(np.quantile(null, 0.05) - published) < 0.005 + 3 * 0.006


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dof", "critical", "p_value"),
    # MathWorks Risk Management Toolbox, pages esbacktest.unconditionalNormal and unconditionalT: 1966 days, 97.5 %,
    # statistic -0.38265; critical value at test level 99 % and p-value
    [(np.inf, -0.34639, 0.0054099), (3, -0.42986, 0.018566)],
)
def test_published_values_of_eight_years(dof, critical, p_value):
    rng = np.random.default_rng(1)
    null = np.concatenate(
        [
            simulated_z2(
                rng.standard_normal((1966, 5000)) if dof == np.inf else rng.standard_t(dof, (1966, 5000)),
                normal_tail() if dof == np.inf else student_tail(dof),
            )
            for _ in range(8)
        ]
    )
    # 1 % quantile of 40,000 draws: error about 0.003 for the normal law, 0.005 for the heavy one; theirs is tabulated
    assert abs(np.quantile(null, 0.01) - critical) < 0.02
    assert abs((null <= -0.38265).mean() - p_value) < 0.002


@pytest.mark.parametrize("dof", [np.inf, 5])
def test_both_statistics_have_mean_zero_under_the_true_law(dof):
    rng = np.random.default_rng(0)
    tail = normal_tail() if dof == np.inf else student_tail(dof)
    draws = rng.standard_normal((1000, 2000)) if dof == np.inf else rng.standard_t(dof, (1000, 2000))
    var, es = np.full((1000, 1), tail[0]), np.full((1000, 1), tail[1])
    for null in (z1_statistic(draws, var, es), z2_statistic(draws, var, es, level=LEVEL)):
        assert abs(null.mean()) < 4 * null.std() / np.sqrt(2000)


def test_doubled_volatility_has_its_closed_form_expectation():
    # losses 2 x, forecast for x: E Z2 = 1 - 2 pdf(q / 2) / pdf(q)
    quantile, shortfall = normal_tail()
    expected = 1 - 2 * norm.pdf(quantile / 2) / norm.pdf(quantile)
    draws = 2 * np.random.default_rng(0).standard_normal((500, 2000))
    values = z2_statistic(draws, np.full((500, 1), quantile), np.full((500, 1), shortfall), level=LEVEL)
    assert abs(values.mean() - expected) < 4 * values.std() / np.sqrt(2000)


def test_test_has_its_size_and_sees_heavy_tails_behind_the_right_value_at_risk():
    rng = np.random.default_rng(0)
    n = 1000
    quantile, shortfall = normal_tail()
    var, es = np.full(n, quantile), np.full(n, shortfall)
    simulated = rng.standard_normal((400, n))
    sizes = [expected_shortfall_test(rng.standard_normal(n), var, es, simulated, level=LEVEL) for _ in range(200)]
    for p_values in ([s.z1_p_value for s in sizes], [s.z2_p_value for s in sizes]):
        # 200 records: 5 % +- 1.5 %, and the common simulation adds 1.1 %
        assert abs(np.mean(np.array(p_values) <= 0.05) - 0.05) < 3 * 0.019
    # same value at risk, longer tail beyond it: coverage is right, only size is wrong
    heavy = rng.standard_t(3, (n, 50)) * quantile / student_t.ppf(LEVEL, 3)
    powers = [expected_shortfall_test(heavy[:, i], var, es, simulated, level=LEVEL).z1_p_value for i in range(50)]
    assert np.mean(np.array(powers) <= 0.05) > 0.8


def test_bad_records_are_refused():
    var, es, losses = np.full(5, 1.0), np.full(5, 1.5), np.array([2.0, 0.0, 0.0, 0.0, 0.0])
    simulated = np.random.default_rng(0).standard_normal((20, 5))
    with pytest.raises(ConfigError, match=r"between 0\.5 and 1"):
        expected_shortfall_test(losses, var, es, simulated, level=0.025)
    with pytest.raises(ShapeError, match="records of the same days"):
        expected_shortfall_test(losses[:4], var, es, simulated, level=LEVEL)
    with pytest.raises(ShapeError, match=r"axes \(simulation, date\) with 5 dates"):
        expected_shortfall_test(losses, var, es, simulated.T, level=LEVEL)
    with pytest.raises(DataError, match="losses must be finite: 1"):
        expected_shortfall_test([np.nan, 0, 0, 0, 0], var, es, simulated, level=LEVEL)
    with pytest.raises(DataError, match="simulated_losses must be finite"):
        expected_shortfall_test(losses, var, es, simulated + np.inf, level=LEVEL)
    with pytest.raises(DataError, match="es must be positive"):
        expected_shortfall_test(losses, -es, -es, simulated, level=LEVEL)
    with pytest.raises(DataError, match="es must not be below var"):
        expected_shortfall_test(losses, es, var, simulated, level=LEVEL)
    with pytest.raises(DataError, match="no loss exceeded the value at risk in 5 days"):
        expected_shortfall_test(np.linspace(0.0, 0.5, 5), var, es, simulated, level=LEVEL)
    with pytest.raises(DataError, match="losses are 2 on all 5 days"):
        expected_shortfall_test(np.full(5, 2.0), var, es, simulated, level=LEVEL)
    with pytest.raises(DataError, match="at least 19 simulated records"):
        expected_shortfall_test(losses, var, es, simulated[:1], level=LEVEL)
    with pytest.raises(DataError, match="simulated_losses are constant"):
        expected_shortfall_test(losses, var, es, np.zeros((20, 5)), level=LEVEL)


@pytest.mark.parametrize("statistic", [z1_statistic, lambda *tail: z2_statistic(*tail, level=LEVEL)])
def test_statistics_of_many_records_refuse_what_comparisons_pass_over(statistic):
    losses, var, es = np.array([2.0, 0.0, 0.0]), np.full(3, 1.0), np.full(3, 1.5)
    # a missing loss is not above the value at risk: it would count as a quiet day
    with pytest.raises(DataError, match="losses must be finite: 1"):
        statistic(np.array([2.0, np.nan, 0.0]), var, es)
    with pytest.raises(DataError, match="var must be finite: 1"):
        statistic(losses, np.array([1.0, np.nan, 1.0]), es)
    with pytest.raises(DataError, match="es must be positive"):
        statistic(losses, var, -es)
    # (3, 1) against (3,) would be broadcast to every pair of dates
    with pytest.raises(ShapeError, match="same dates and number of axes"):
        statistic(losses[:, None], var, es)
    with pytest.raises(ShapeError, match="same dates and number of axes"):
        statistic(losses, var[:2], es)


def test_level_of_the_second_statistic_is_checked():
    with pytest.raises(ConfigError, match=r"between 0\.5 and 1"):
        z2_statistic(np.ones(3), np.ones(3), np.ones(3), level=0.025)
