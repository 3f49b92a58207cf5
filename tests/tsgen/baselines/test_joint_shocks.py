"""Multivariate Student-t shocks, constant and dynamic correlation, the t copula and its margins."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tsgen import ReturnPanel
from tsgen.baselines import GarchCcc, StudentTCopula
from tsgen.baselines import garch_ccc as ccc_module
from tsgen.baselines.dynamic_correlation import (
    DynamicCorrelation,
    fit_dynamic_correlation,
    last_quasi_correlation,
    log_densities,
    quasi_correlations,
)
from tsgen.baselines.empirical_margins import EmpiricalMargins
from tsgen.baselines.multivariate_student_t import best_dof, fit_shock_law, log_density_from_distance, squared_distances
from tsgen.baselines.student_t_copula import rank_correlation
from tsgen.errors import ConfigError
from tsgen.marketdata import known_processes as known

TARGET = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 1.0]])
A, B, DOF = 0.05, 0.92, 8.0


def student_shocks(n, correlation, dof, rng):
    normals = rng.standard_normal((n, len(correlation))) @ np.linalg.cholesky(correlation).T
    return normals * np.sqrt((dof - 2.0) / rng.chisquare(dof, size=(n, 1)))


def dcc_shocks(n, a, b, seed):
    """Engle's recursion, written out."""
    rng = np.random.default_rng(seed)
    q, rows = TARGET.copy(), []
    for _ in range(n):
        scale = np.diag(1.0 / np.sqrt(np.diag(q)))
        z = student_shocks(1, scale @ q @ scale, DOF, rng)[0]
        rows.append(z)
        q = (1.0 - a - b) * TARGET + a * np.outer(z, z) + b * q
    return np.array(rows)


def test_log_density_is_that_of_scipy():
    z = student_shocks(20, TARGET, 6.0, np.random.default_rng(0))
    ours = log_density_from_distance(squared_distances(z, TARGET), np.linalg.slogdet(TARGET)[1], dof=6.0, n_assets=3)
    scipys = stats.multivariate_t(shape=TARGET * 4.0 / 6.0, df=6.0).logpdf(z)
    np.testing.assert_allclose(ours, scipys, rtol=1e-12)
    np.testing.assert_allclose(log_densities(z, TARGET, a=0.0, b=0.0, dof=6.0), scipys, rtol=1e-12)


def test_shock_law_is_recovered_despite_outliers():
    n = 8000
    z = student_shocks(n, TARGET, 5.0, np.random.default_rng(1))
    law = fit_shock_law(z)
    assert law.converged
    # standard error of a correlation: below (1 - r^2) / sqrt(n) times 1.4 for the t law at 5 degrees of freedom
    assert np.abs(law.correlation - TARGET).max() < 5.0 * 1.4 / np.sqrt(n)
    # from the observed information the standard error of dof is 0.2 at this size
    assert abs(law.dof - 5.0) < 1.0
    z[0] = [200.0, -200.0, 200.0]
    assert np.abs(fit_shock_law(z).correlation - TARGET).max() < 5.0 * 1.4 / np.sqrt(n)
    assert np.abs(np.corrcoef(z, rowvar=False) - TARGET).max() > 0.15  # what the sample correlation does with it
    assert best_dof(np.random.default_rng(2).standard_normal((4000, 3)), np.eye(3)) > 50.0


def test_an_unsettled_fixed_point_is_reported():
    z = student_shocks(300, TARGET, 5.0, np.random.default_rng(1))
    assert not fit_shock_law(z, max_iterations=1).converged


def test_quasi_correlations_are_the_recursion():
    z = dcc_shocks(1300, A, B, seed=0)  # more than two chunks
    q, expected = TARGET.copy(), []
    for row in z:
        expected.append(q)
        q = (1.0 - A - B) * TARGET + A * np.outer(row, row) + B * q
    ours = np.concatenate([chunk for _, chunk in quasi_correlations(z, TARGET, a=A, b=B)])
    np.testing.assert_allclose(ours, expected, rtol=1e-10)
    np.testing.assert_allclose(last_quasi_correlation(z, TARGET, a=A, b=B), q, rtol=1e-10)


def test_dynamic_correlation_is_recovered_and_beats_constant():
    n = 3000
    z = dcc_shocks(n, A, B, seed=1)
    fit = fit_dynamic_correlation(z, TARGET, dof=DOF)
    assert fit.converged
    assert 0.002 < fit.standard_errors[0] < 0.02
    assert 0.005 < fit.standard_errors[1] < 0.04
    assert abs(fit.a - A) < 4.0 * fit.standard_errors[0]
    assert abs(fit.b - B) < 4.0 * fit.standard_errors[1]
    # likelihood ratio, two parameters: 99.99 % quantile of chi-squared is 18
    assert 2.0 * n * (fit.log_likelihood - fit.constant_log_likelihood) > 50.0
    wrong = log_densities(z, TARGET, a=0.2, b=0.5, dof=DOF).mean()
    assert 2.0 * n * (fit.log_likelihood - wrong) > 50.0
    constant = student_shocks(n, TARGET, DOF, np.random.default_rng(3))
    nothing = fit_dynamic_correlation(constant, TARGET, dof=DOF)
    assert 2.0 * n * (nothing.log_likelihood - nothing.constant_log_likelihood) < 18.0


def test_simulated_covariance_is_the_filtered_one():
    """One period ahead: D R D with R from the recursion written out; z below 5."""
    z = dcc_shocks(1500, 0.08, 0.9, seed=2)
    dates = pd.bdate_range("2000-01-03", periods=1500)
    panel = ReturnPanel(pd.DataFrame(0.01 * z, index=dates, columns=list("ABC")), kind="log")
    baseline = GarchCcc.fit(panel, correlation="dynamic")
    a, b = baseline.dynamics
    assert a > 0.03
    history = panel.until(dates[799])
    e = history.values - baseline.mean
    h = baseline.recursion.filtered(e)
    q = baseline.correlation.copy()
    for row in e / np.sqrt(baseline.recursion.used(h[:-1])):
        q = (1.0 - a - b) * baseline.correlation + a * np.outer(row, row) + b * q
    deviation = np.sqrt(h[-1])
    expected = q / np.sqrt(np.outer(np.diag(q), np.diag(q))) * np.outer(deviation, deviation)
    n = 40_000
    x = baseline.sample(n, 1, history=history, seed=0).returns[:, 0] - baseline.mean
    products = x[:, :, None] * x[:, None, :]
    errors = products.std(axis=0) / np.sqrt(n)
    assert np.abs((products.mean(axis=0) - expected) / errors).max() < 5.0
    constant = baseline.correlation * np.outer(deviation, deviation)
    assert np.abs((products.mean(axis=0) - constant) / errors).max() > 8.0


def test_simulated_correlation_follows_the_simulated_shocks(panel):
    """Second period: products of shocks have slope 1 on the correlation that the first period implies; z below 5."""
    a, b = 0.25, 0.6
    baseline = dataclasses.replace(GarchCcc.fit(panel), dynamics=np.array([a, b]), dof=30.0)
    recursion, n = baseline.recursion, 40_000
    e = baseline.sample(n, 2, seed=0).returns - baseline.mean
    h = np.tile(baseline.variance, (n, 1))
    first = e[:, 0] / np.sqrt(recursion.used(h))
    second = e[:, 1] / np.sqrt(recursion.used(recursion.following(h, e[:, 0])))
    q = (1.0 - a - b) * baseline.correlation + a * first[:, :, None] * first[:, None, :] + b * baseline.quasi
    implied = q[:, 0, 1] / np.sqrt(q[:, 0, 0] * q[:, 1, 1])
    product, spread = second[:, 0] * second[:, 1], implied - implied.mean()
    residual = spread * (product - implied)
    assert abs(residual.mean()) < 5.0 * residual.std() / np.sqrt(n)
    # constant correlation would have slope 0
    assert (spread * product).mean() > 5.0 * (spread * product).std() / np.sqrt(n)


def test_constant_correlation_process_is_recovered_and_continued():
    """Against the exact conditional law of the process that made the data: covariance of the next period."""
    ones = np.ones(3)
    process = known.GarchCcc(5e-6 * ones, 0.08 * ones, 0.88 * ones, TARGET, 7.0)
    values = process.sample(1, 5000, rng=np.random.default_rng(4))[0]
    dates = pd.bdate_range("2000-01-03", periods=5000)
    panel = ReturnPanel(pd.DataFrame(values, index=dates, columns=list("ABC")), kind="log")
    baseline = GarchCcc.fit(panel)
    truth = process.conditional_law(values[None]).covariance[0]
    deviation = np.sqrt(baseline.variance)
    # a variance forecast carries the relative error of its parameters, here about 5 %
    np.testing.assert_allclose(deviation**2, np.diag(truth), rtol=0.2)
    # (1 - r^2) / sqrt(5000), times 1.3 for the t law, times 5
    assert np.abs(baseline.correlation - TARGET).max() < 5.0 * 1.3 / np.sqrt(5000)
    assert 5.0 < baseline.dof < 11.0


def test_dynamics_that_do_not_help_or_do_not_settle_are_noted(panel, monkeypatch):
    def fit(**changes):
        usual = {"a": 0.02, "b": 0.9, "standard_errors": (0.01, 0.02), "log_likelihood": -1.0}
        usual |= {"constant_log_likelihood": -2.0, "converged": True}
        result = DynamicCorrelation(**(usual | changes))
        monkeypatch.setattr(ccc_module, "fit_dynamic_correlation", lambda *_, **__: result)
        return GarchCcc.fit(panel, correlation="dynamic")

    assert any("not more likely than constant" in note for note in fit(log_likelihood=-3.0).notes)
    assert fit(log_likelihood=-3.0).dynamics.tolist() == [0.0, 0.0]
    assert any("stopped before converging" in note for note in fit(converged=False).notes)
    assert any("a=0.0200 (standard error 0.0100)" in note for note in fit().notes)
    law = ccc_module.fit_shock_law(np.random.default_rng(0).normal(size=(100, 3)))._replace(converged=False)
    monkeypatch.setattr(ccc_module, "fit_shock_law", lambda _: law)
    assert any("did not settle" in note for note in GarchCcc.fit(panel).notes)


def test_one_asset_has_constant_correlation(panel):
    assert any(
        "one asset has no correlation" in n for n in GarchCcc.fit(panel.select("A"), correlation="dynamic").notes
    )


def test_settings_out_of_range(panel):
    with pytest.raises(ConfigError, match="correlation must be one of 'constant', 'dynamic': got 'static'"):
        GarchCcc.fit(panel, correlation="static")
    with pytest.raises(ConfigError, match="tails must be one of 'gpd', 'empirical': got 'normal'"):
        StudentTCopula.fit(panel, tails="normal")


def copula_panel(n=4000, dof=4.0, seed=0):
    """Student-t(3) and exponential margins, t copula with 4 degrees of freedom."""
    rng = np.random.default_rng(seed)
    z = student_shocks(n, np.array([[1.0, 0.6], [0.6, 1.0]]), dof, rng) * np.sqrt(dof / (dof - 2.0))
    u = stats.t.cdf(z, dof)
    values = 0.01 * np.column_stack([stats.t.ppf(u[:, 0], 3.0), stats.expon.ppf(u[:, 1])])
    return ReturnPanel(
        pd.DataFrame(values, columns=["A", "B"], index=pd.bdate_range("2000-01-03", periods=n)), kind="log"
    )


def test_copula_is_recovered():
    """Standard errors at this size, from theory and repetition: 0.011 for the correlation, 0.35 for dof."""
    panel = copula_panel()
    baseline = StudentTCopula.fit(panel)
    assert abs(baseline.correlation[0, 1] - 0.6) < 5.0 * 0.011
    assert abs(baseline.dof - 4.0) < 5.0 * 0.35
    sampled = baseline.sample(4000, 2, seed=0).returns
    for i in range(2):
        assert stats.ks_2samp(sampled[:, 0, i], panel.values[:, i]).pvalue > 1e-4
    assert abs(stats.kendalltau(*sampled[:, 0].T).statistic - stats.kendalltau(*panel.values.T).statistic) < 0.07
    # independent over time
    assert abs(np.corrcoef(sampled[:, 0, 1], sampled[:, 1, 1])[0, 1]) < 5.0 / np.sqrt(4000)
    # joint lower tail: P(both below the 2 % quantile) of the truth, against the Gaussian copula's
    low = (sampled < np.quantile(panel.values, 0.02, axis=0)).all(axis=2).mean()
    true = stats.multivariate_t(shape=[[1.0, 0.6], [0.6, 1.0]], df=4.0, seed=0).cdf([stats.t.ppf(0.02, 4.0)] * 2)
    # 8,000 draws, 4,000 training rows: relative errors below 13 % together
    assert low == pytest.approx(true, rel=0.45)
    gaussian = stats.multivariate_normal(cov=[[1.0, 0.6], [0.6, 1.0]]).cdf([stats.norm.ppf(0.02)] * 2)
    assert gaussian < 0.7 * true


def test_pareto_tail_is_that_of_the_margin():
    """Exponential excesses have shape 0; Student-t(3) tails have shape 1/3. Error of the shape: (1 + xi) / sqrt(n)."""
    values = np.column_stack(
        [stats.t.rvs(3.0, size=20_000, random_state=1), stats.expon.rvs(size=20_000, random_state=2)]
    )
    margins, notes = EmpiricalMargins.fit(values, ("A", "B"), tails="gpd")
    assert margins.shape[1, 1] == pytest.approx(0.0, abs=5.0 / np.sqrt(1000))
    # at 5 % the t(3) tail is not yet Pareto: bias of about -0.07
    assert margins.shape[0, 0] == pytest.approx(0.27, abs=5.0 * 1.3 / np.sqrt(1000))
    levels = np.array([[1e-4, 0.9999]])
    extreme = margins.quantiles(levels)[0]
    np.testing.assert_allclose(extreme, [stats.t.ppf(1e-4, 3.0), stats.expon.ppf(0.9999)], rtol=0.35)
    assert notes[0].startswith("B: lower tail kept empirical (fitted Pareto shape") or not notes
    levels = np.linspace(0.06, 0.94, 9)[:, None] * np.ones(2)
    np.testing.assert_allclose(margins.quantiles(levels)[:, 1], stats.expon.ppf(levels[:, 1]), rtol=0.08)


def test_quantiles_increase_through_the_joints():
    values = np.random.default_rng(3).standard_t(3, size=(2000, 1))
    margins, _ = EmpiricalMargins.fit(values, ("A",), tails="gpd")
    quantiles = margins.quantiles(np.linspace(1e-6, 1 - 1e-6, 4001)[:, None])
    assert (np.diff(quantiles[:, 0]) >= 0.0).all()


def test_tails_that_cannot_be_fitted_stay_empirical():
    values = np.concatenate([np.zeros(380), np.linspace(0.1, 1.0, 20)])[:, None]
    margins, notes = EmpiricalMargins.fit(values, ("A",), tails="gpd")
    assert notes[0].startswith("A: lower tail kept empirical (only 0 values")
    assert (margins.quantiles(np.array([[1e-9]])) == 0.0).all()
    none, quiet = EmpiricalMargins.fit(values, ("A",), tails="empirical")
    assert quiet == []
    assert none.quantiles(np.array([[1.0 - 1e-12]]))[0, 0] == 1.0


def test_rank_correlation_is_positive_definite_for_any_data():
    x = np.random.default_rng(0).normal(size=(60, 1)) @ np.ones((1, 6)) + 1e-3 * np.random.default_rng(1).normal(
        size=(60, 6)
    )
    matrix = rank_correlation(x)
    assert np.linalg.eigvalsh(matrix)[0] > 0.0
    np.testing.assert_allclose(np.diag(matrix), 1.0, rtol=1e-15)
