"""VAR, ARMA and Gaussian processes against statsmodels and exact laws."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.api import VAR
from statsmodels.tsa.arima.estimators.hannan_rissanen import hannan_rissanen
from statsmodels.tsa.arima_process import ArmaProcess
from statsmodels.tsa.statespace.sarimax import SARIMAX

from tsgen import ReturnPanel, ScenarioSet
from tsgen.baselines import Arma, GaussianProcess, VectorAutoregression
from tsgen.baselines import vector_autoregression as var_module
from tsgen.baselines.hannan_rissanen import fit_arma, is_usable
from tsgen.baselines.stationary_autocovariance import linear_predictor, noise_share, pooled_autocovariances
from tsgen.baselines.training_data import training_data
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import known_processes as known

TWO_LAGS = np.array([[[0.4, 0.2], [-0.1, 0.3]], [[-0.25, 0.0], [0.1, 0.2]]])
NOISE = 1e-4 * np.array([[1.0, 0.4], [0.4, 0.5]])
PROCESS = known.VarProcess(TWO_LAGS, NOISE)


def as_panel(values, start="2000-01-03"):
    dates = pd.bdate_range(start, periods=len(values))
    return ReturnPanel(pd.DataFrame(values, index=dates, columns=list("ABCD")[: np.shape(values)[1]]), kind="log")


@pytest.fixture(scope="module")
def var_panel():
    return as_panel(0.001 + PROCESS.sample(1, 3000, rng=np.random.default_rng(0))[0])


def check_moments(sampled, mean, covariance):
    """Mean and covariance of paths (n, d) against exact ones, z below 5 each."""
    n = len(sampled)
    x = sampled - mean
    assert np.abs(x.mean(0) / np.sqrt(np.diag(covariance) / n)).max() < 5.0
    errors = np.sqrt((covariance**2 + np.outer(np.diag(covariance), np.diag(covariance))) / n)
    return np.abs((x.T @ x / n - covariance) / errors).max()


def test_order_and_coefficients_are_those_of_statsmodels(var_panel):
    baseline = VectorAutoregression.fit(var_panel, max_order=4)
    theirs = VAR(var_panel.values).fit(2)
    assert baseline.notes == ("order 2 selected by BIC from 0 to 4",)
    np.testing.assert_allclose(baseline.coefficients, theirs.coefs, rtol=1e-9)
    np.testing.assert_allclose(baseline.intercept, theirs.intercept, rtol=1e-9)
    np.testing.assert_allclose(baseline.covariance, theirs.sigma_u, rtol=1e-9)
    # our criterion for paths is statsmodels' for one series
    table = VAR(var_panel.values).select_order(4).ics["bic"]
    training = training_data(var_panel, n_rows=2, purpose="test")
    ours = [var_module._criterion(var_module._path_regression(training.values[:, 4 - p :], p)) for p in range(5)]
    np.testing.assert_allclose(ours, table, rtol=1e-9)


@pytest.mark.parametrize("residuals", ["gaussian", "bootstrap"])
def test_var_forecasts_have_the_moments_of_statsmodels(var_panel, residuals):
    baseline = VectorAutoregression.fit(var_panel, order=2, residuals=residuals)
    theirs = VAR(var_panel.values).fit(2)
    history = var_panel.until(var_panel.dates[999])
    mean = theirs.forecast(history.values[-2:], 5)
    n = 20_000
    sampled = baseline.sample(n, 5, history=history, seed=0).returns
    for t in range(5):
        assert check_moments(sampled[:, t], mean[t], theirs.forecast_cov(5)[t]) < 5.0
    assert check_moments(sampled[:, 4], mean[4], 1.2 * theirs.forecast_cov(5)[4]) > 5.0
    simulated = theirs.simulate_var(
        7, initial_values=history.values[-2:], rng=np.random.default_rng(5), nsimulations=4000
    )[:, 2:]
    z = (sampled.mean(0) - simulated.mean(0)) / np.sqrt(sampled.var(0) / n + simulated.var(0) / 4000)
    assert np.abs(z).max() < 5.0


def test_var_residual_rows_are_drawn_whole(var_panel):
    baseline = VectorAutoregression.fit(var_panel, order=0, residuals="bootstrap")
    shocks = baseline.sample(200, 1, seed=0).returns[:, 0] - baseline.intercept
    gaps = np.abs(shocks[:, None] - baseline.residual_rows[None]).max(axis=2).min(axis=1)
    assert gaps.max() < 1e-15


def test_var_on_paths_starts_in_its_stationary_law():
    paths = ScenarioSet(returns=PROCESS.sample(2000, 12, rng=np.random.default_rng(1)), assets=["A", "B"], kind="log")
    baseline = VectorAutoregression.fit(paths)
    assert len(baseline.coefficients) == 2
    # 20,000 rows, standard error of a coefficient at most 0.01
    np.testing.assert_allclose(baseline.coefficients, TWO_LAGS, atol=0.05)
    fitted = known.VarProcess(baseline.coefficients, baseline.covariance)
    sampled = baseline.sample(20_000, 3, seed=0).returns.reshape(20_000, -1)
    mean = np.tile(baseline.long_run_mean(), 3)
    assert check_moments(sampled, mean, fitted.covariance(3)) < 5.0
    from_zero = known.VarProcess(baseline.coefficients, baseline.covariance, start="zero")
    assert check_moments(sampled, mean, from_zero.covariance(3)) > 5.0


def test_a_short_history_is_completed_with_the_mean(var_panel):
    baseline = VectorAutoregression.fit(var_panel, order=2)
    one_row = baseline._first_lags(var_panel.values[:1])
    np.testing.assert_allclose(one_row, [baseline.long_run_mean(), var_panel.values[0]])


def test_an_explosive_estimate_is_pulled_back_and_noted():
    trend = as_panel(
        1e-4 * np.exp(0.01 * np.arange(300))[:, None] + 1e-6 * np.random.default_rng(0).normal(size=(300, 1))
    )
    baseline = VectorAutoregression.fit(trend, order=1)
    assert "estimated process is not stable (spectral radius 1.0" in baseline.notes[0]
    assert var_module.spectral_radius(baseline.coefficients) == pytest.approx(0.999)
    assert np.isfinite(baseline.sample(10, 500, seed=0).returns).all()


def test_var_settings_out_of_range(panel, paths):
    with pytest.raises(ConfigError, match="residuals must be one of 'gaussian', 'bootstrap': got 'none'"):
        VectorAutoregression.fit(panel, residuals="none")
    with pytest.raises(ConfigError, match="order must be a non-negative integer: got -1"):
        VectorAutoregression.fit(panel, order=-1)
    with pytest.raises(ConfigError, match="max_order must be a positive integer: got 0"):
        VectorAutoregression.fit(panel, max_order=0)
    with pytest.raises(DataError, match="leave too few rows after 23 lags"):
        VectorAutoregression.fit(ScenarioSet(returns=paths.returns[:30], assets=["A", "B"], kind="log"), order=23)


@pytest.fixture(scope="module")
def arma_series():
    return ArmaProcess.from_coeffs([0.6], [0.4]).generate_sample(
        4000, distrvs=np.random.default_rng(1).standard_normal
    )[:, None]


def test_arma_estimates_agree_with_statsmodels(arma_series):
    best = fit_arma(arma_series.T, max_p=2, max_q=2, long_order=60)[0]
    assert (len(best.phi), len(best.theta)) == (1, 1)
    theirs, _ = hannan_rissanen(arma_series[:, 0], 1, 1, demean=False, initial_ar_order=60, unbiased=False)
    # Yule-Walker there, least squares here, in the first regression: apart by far less than one standard error, 0.02
    assert best.phi[0] == pytest.approx(theirs.ar_params[0], abs=0.01)
    assert best.theta[0] == pytest.approx(theirs.ma_params[0], abs=0.01)
    assert abs(best.phi[0] - 0.6) < 0.1
    assert abs(best.theta[0] - 0.4) < 0.1


def test_pooled_estimates_use_no_row_across_paths(arma_series):
    """Two halves of a series differ from the whole only at the seam; glued in the wrong order they would not."""
    whole = fit_arma(arma_series.T, max_p=1, max_q=1, long_order=30)[0]
    halves = fit_arma(arma_series.reshape(2, 2000), max_p=1, max_q=1, long_order=30)[0]
    assert halves.phi[0] == pytest.approx(whole.phi[0], abs=0.02)


def test_arma_forecasts_are_those_of_statsmodels(arma_series):
    panel = as_panel(0.01 * arma_series)
    baseline = Arma.fit(panel, max_p=1, max_q=1)
    history = panel.until(panel.dates[1499])
    model = SARIMAX(history.values[:, 0] - baseline.mean[0], order=(1, 0, 1), concentrate_scale=False)
    smoothed = model.smooth([baseline.phi[0, 0], baseline.theta[0, 0], baseline.covariance[0, 0]])
    forecast = smoothed.get_forecast(4)
    n = 20_000
    sampled = baseline.sample(n, 4, history=history, seed=0).returns[:, :, 0] - baseline.mean[0]
    z = (sampled.mean(0) - forecast.predicted_mean) / np.sqrt(forecast.var_pred_mean / n)
    assert np.abs(z).max() < 5.0
    # standard error of a Gaussian variance
    assert np.abs(sampled.var(0) / forecast.var_pred_mean - 1.0).max() < 5.0 * np.sqrt(2.0 / n)
    other = baseline.sample(n, 4, seed=0).returns[:, :, 0] - baseline.mean[0]
    assert np.abs((other.mean(0) - forecast.predicted_mean) / np.sqrt(forecast.var_pred_mean / n)).max() > 5.0


def test_arma_on_paths_has_the_stationary_autocovariance():
    process = known.Arma([0.5], [0.3], innovation_sd=0.01)
    other = known.Arma([], [], innovation_sd=0.02)
    rng = np.random.default_rng(3)
    returns = np.concatenate([process.sample(2000, 30, rng=rng), other.sample(2000, 30, rng=rng)], axis=2)
    baseline = Arma.fit(ScenarioSet(returns=returns, assets=["A", "B"], kind="log"))
    assert baseline.notes == ("orders (p, q) selected by BIC: A (1, 1), B (0, 0)",)
    sampled = baseline.sample(20_000, 5, seed=0).returns[:, :, 0]
    fitted = known.Arma(baseline.phi[:1, 0], baseline.theta[:1, 0], innovation_sd=baseline.covariance[0, 0] ** 0.5)
    assert check_moments(sampled, baseline.mean[0], fitted.covariance(5)) < 5.0
    np.testing.assert_allclose([baseline.phi[0, 0], baseline.theta[0, 0]], [0.5, 0.3], atol=0.05)


def test_a_unit_root_is_not_usable():
    assert not is_usable(np.array([]), np.array([1.0]))
    assert is_usable(np.array([]), np.array([]))


def test_arma_settings_out_of_range(panel):
    with pytest.raises(ConfigError, match="innovations must be one of 'gaussian', 'bootstrap'"):
        Arma.fit(panel, innovations="t")
    with pytest.raises(ConfigError, match="max_p must be an integer from 0 to 5: got 6"):
        Arma.fit(panel, max_p=6)
    with pytest.raises(ConfigError, match="max_q must be an integer from 0 to 5: got -1"):
        Arma.fit(panel, max_q=-1)
    short = ScenarioSet(returns=np.random.default_rng(0).normal(size=(50, 9, 1)), assets=["A"], kind="log")
    with pytest.raises(DataError, match=r"paths of at least 18 periods are needed to fit ARMA\(2, 2\): got 9"):
        Arma.fit(short)


def test_gaussian_paths_condition_exactly(paths):
    """Against the exact conditional law of a Gaussian path with the fitted mean and covariance."""
    baseline = GaussianProcess.fit(paths)
    assert "path covariance shrunk by" in baseline.notes[0]
    exact = known.GaussianPath(baseline.mean, baseline.numbers @ baseline.numbers.T, n_assets=2)
    history = as_panel(paths.returns[0, :5])
    n = 20_000
    sampled = baseline.sample(n, 2, history=history, seed=0).returns
    law = exact.conditional_law(history.values[None])
    assert check_moments(sampled[:, 0], law.mean[0], np.asarray(law.covariance).reshape(-1, 2, 2)[0]) < 5.0
    without = baseline.sample(n, 2, seed=0).returns[:, 0]
    assert check_moments(without, baseline.mean[0], exact.covariance(24)[:2, :2]) < 5.0
    assert np.abs(sampled[:, 0].mean(0) - without.mean(0)).max() > 5.0 * 0.012 / np.sqrt(n)


def test_gaussian_sample_covariance_is_that_of_the_paths(paths):
    baseline = GaussianProcess.fit(paths, covariance="sample")
    expected = np.cov(paths.returns.reshape(300, -1), rowvar=False)
    np.testing.assert_allclose(baseline.numbers @ baseline.numbers.T, expected, atol=1e-12)


def test_gaussian_paths_end_where_training_ended(paths):
    baseline = GaussianProcess.fit(paths)
    with pytest.raises(ConfigError, match=r"fitted to paths of 24 periods .* asked for 0 \+ 25"):
        baseline.sample(1, 25, seed=0)
    with pytest.raises(ConfigError, match=r"asked for 20 \+ 5\. Ask for at most 4"):
        baseline.sample(1, 5, history=as_panel(paths.returns[0, :20]), seed=0)
    assert GaussianProcess.fit(paths, covariance="stationary").sample(1, 60, seed=0).horizon == 60


def test_gaussian_process_settings_out_of_range(panel, paths):
    with pytest.raises(ConfigError, match="one panel is one path: covariance='sample' needs a ScenarioSet"):
        GaussianProcess.fit(panel, covariance="sample")
    with pytest.raises(ConfigError, match="covariance must be one of"):
        GaussianProcess.fit(paths, covariance="toeplitz")
    with pytest.raises(ConfigError, match="lags belongs to covariance='stationary'"):
        GaussianProcess.fit(paths, lags=2)
    with pytest.raises(ConfigError, match="lags must be below the 24 periods of the data: got 24"):
        GaussianProcess.fit(paths, covariance="stationary", lags=24)
    few = ScenarioSet(returns=paths.returns[:30], assets=["A", "B"], kind="log")
    with pytest.raises(DataError, match=r"30 paths of 24 x 2 values is not positive definite"):
        GaussianProcess.fit(few, covariance="sample")
    one = ScenarioSet(returns=paths.returns[:1], assets=["A", "B"], kind="log")
    with pytest.raises(DataError, match="at least 2 paths are needed"):
        GaussianProcess.fit(one)


def test_linear_predictor_of_an_autoregression_is_its_coefficients():
    covariance = PROCESS.covariance(4)
    # block (s, 1) of the path covariance is the autocovariance of lag s - 1, row = later asset
    lagged = np.stack([covariance[2 * k : 2 * k + 2, :2] for k in range(4)])
    predictor = linear_predictor(lagged, 3)
    expected = np.concatenate([TWO_LAGS[0].T, TWO_LAGS[1].T, np.zeros((2, 2))])
    np.testing.assert_allclose(predictor.weights, expected, atol=1e-10)
    np.testing.assert_allclose(predictor.factor @ predictor.factor.T, NOISE, rtol=1e-10)


def test_stationary_process_has_its_own_autocovariances(paths):
    baseline = GaussianProcess.fit(paths, covariance="stationary", lags=3)
    sampled = baseline.sample(20_000, 6, seed=0).returns - baseline.mean[0]
    for t, k in ((1, 0), (3, 3), (5, 2)):
        products = sampled[:, t, :, None] * sampled[:, t - k, None, :]
        z = (products.mean(0) - baseline.numbers[k]) / (products.std(0) / np.sqrt(20_000))
        assert np.abs(z).max() < 5.0


def test_shrinkage_is_total_for_noise_and_slight_for_dependence():
    noise = np.random.default_rng(0).standard_t(4, size=(1, 4000, 3))
    assert noise_share(noise, 10) > 0.7
    strong = PROCESS.sample(1, 4000, rng=np.random.default_rng(0))
    assert noise_share(strong - strong.mean(axis=1), 2) < 0.05


def test_autocovariances_are_those_of_the_definition(paths):
    x = paths.returns[:3]
    ours = pooled_autocovariances(x, 2)
    expected = sum(np.outer(x[b, t + 2], x[b, t]) for b in range(3) for t in range(22)) / (3 * 24)
    np.testing.assert_allclose(ours[2], expected, rtol=1e-12)
