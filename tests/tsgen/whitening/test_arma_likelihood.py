"""ARMA autocovariances by maximum likelihood: against statsmodels on one path, theory on many, and where they serve."""

import numpy as np
import pytest
from scipy.linalg import toeplitz
from scipy.stats import chi2
from statsmodels.tsa.arima.model import ARIMA
from statsmodels.tsa.statespace.tools import constrain_stationary_univariate

import tsgen
from tsgen.marketdata.known_processes import Arma, KernelProcess, powered_exponential
from tsgen.whitening.arma_likelihood import LONGEST_WINDOW, arma_autocovariances
from tsgen.whitening.linear_prediction_fit import _arma, conditionals_of_covariance, fit_linear_prediction

ARMA = Arma((0.6, -0.3), (0.5, 0.2))
SLOW = Arma((0.9, -0.2), (-0.4, 0.3))


def _paths(process, n_paths, n_periods, seed=0):
    return process.sample(n_paths, n_periods, rng=np.random.default_rng(seed))


def _loss(gamma, paths):
    """Minus Gaussian log likelihood, all paths."""
    covariance = toeplitz(gamma)
    moments = paths.T @ paths
    return 0.5 * (len(paths) * np.linalg.slogdet(covariance)[1] + np.trace(np.linalg.solve(covariance, moments)))


@pytest.mark.parametrize(("p", "q"), [(1, 1), (2, 1), (2, 2)])
def test_one_path_agrees_with_the_exact_likelihood_of_statsmodels(p, q):
    path = _paths(ARMA, 1, LONGEST_WINDOW)[:, :, 0]
    theirs = ARIMA(path[0], order=(p, 0, q), trend="n").fit()
    ours = -_loss(arma_autocovariances(path, p, q), path) - 0.5 * LONGEST_WINDOW * np.log(2 * np.pi)
    assert ours >= theirs.llf - 1e-3  # theirs is a search as well: ours may only be better


@pytest.mark.parametrize("seed", range(3))
def test_many_paths_reach_the_likelihood_that_theory_expects(seed):
    paths = _paths(ARMA, 1000, 24, seed)[:, :, 0]
    truth = ARMA.covariance(24)[0]
    gain = 2.0 * (_loss(truth, paths) - _loss(arma_autocovariances(paths, 2, 2), paths))
    # Wilks: chi-squared with five degrees of freedom
    assert chi2.ppf(1e-4, 5) < gain < chi2.ppf(1 - 1e-4, 5)
    too_small = 2.0 * (_loss(truth, paths) - _loss(arma_autocovariances(paths, 1, 1), paths))
    assert too_small < -100.0


def test_long_paths_count_by_their_windows():
    paths = _paths(ARMA, 200, 4 * LONGEST_WINDOW)[:, :, 0]
    gamma = arma_autocovariances(paths, 2, 2)
    truth = ARMA.covariance(len(gamma))[-1, ::-1]
    assert gamma.shape == (4 * LONGEST_WINDOW,)
    # 51,200 values of correlation time two: the variance is known to one percent
    assert np.abs(gamma - truth).max() < 0.04 * truth[0]


@pytest.mark.parametrize("period", [0, LONGEST_WINDOW, LONGEST_WINDOW + 14])
def test_long_paths_are_read_from_the_first_period_to_the_last(period):
    paths = _paths(ARMA, 200, LONGEST_WINDOW + 15)[:, :, 0]
    louder = paths.copy()
    louder[:, period] *= 10.0
    assert arma_autocovariances(louder, 1, 1)[0] > 1.1 * arma_autocovariances(paths, 1, 1)[0]


@pytest.mark.parametrize(("p", "q", "seed"), [(2, 2, 26), (3, 3, 58), (3, 2, 69), (4, 4, 17)])
def test_roots_near_the_unit_circle_do_not_stop_the_search(p, q, seed):
    """Never below the likelihood of the truth: a search from the regression alone ends thousands below it here."""
    rng = np.random.default_rng(seed)
    phi = constrain_stationary_univariate(rng.normal(0.0, 2.0, p))
    process = Arma(tuple(phi), tuple(-constrain_stationary_univariate(rng.normal(0.0, 2.0, q))))
    paths = _paths(process, 500, 24, seed)[:, :, 0]
    gain = 2.0 * (_loss(process.covariance(24)[0], paths) - _loss(arma_autocovariances(paths, p, q), paths))
    assert -1e-3 < gain < chi2.ppf(1 - 1e-4, p + q + 1)


def test_paths_without_variance_have_no_likelihood():
    with pytest.raises(np.linalg.LinAlgError, match=r"ARMA\(1, 1\)"):
        arma_autocovariances(np.zeros((50, 10)), 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_the_parsimonious_law_is_chosen_and_closer_than_an_autoregression(seed):
    """Free autocovariances and autoregressions leave more than the error of five parameters."""
    paths = _paths(SLOW, 1000, 24, seed)
    whitening = fit_linear_prediction(paths)
    assert whitening.model.startswith("arma(")
    truth = SLOW.covariance(24)
    exact = conditionals_of_covariance(truth, 1)
    saturated = conditionals_of_covariance(paths[:, :, 0].T @ paths[:, :, 0] / len(paths), 1)

    def error(coefficients):
        lags = min(coefficients.shape[1], exact.coefficients.shape[1])
        return np.linalg.norm(coefficients[:, :lags] - exact.coefficients[:, :lags])

    assert error(whitening.coefficients.numpy()) < 0.2 * error(saturated.coefficients)


@pytest.mark.slow
def test_an_arma_law_extends_beyond_the_paths_it_was_fitted_to():
    generator = tsgen.fit_generator(
        tsgen.ScenarioSet(_paths(SLOW, 600, 20), assets=["x"], kind="log"), tsgen.GeneratorConfig.preset("fast"), seed=0
    )
    assert generator.whitening.facts()["model"].startswith("arma(")
    returns = generator.sample(4000, 60, seed=1).returns[:, :, 0]
    # 4,000 draws: a variance is known to 2.2 %; the fit knows it to 2 % from 12,000 values of correlation time two
    np.testing.assert_allclose(returns.var(axis=0), SLOW.covariance(1)[0, 0], rtol=0.13)


def test_an_arma_law_remembers_as_long_as_its_paths():
    """A moving average near the unit circle forgets by .9 a period: cut after 8 lags, its errors scatter more."""
    process = Arma((0.5,), (-0.9,))
    law = _arma(_paths(process, 4000, 40), (1, 1))
    exact = conditionals_of_covariance(process.covariance(40), 1)
    # the error variance is known to .0035 from 160,000 values, and nothing else tells these two apart
    assert law.covariances[-1, 0, 0] == pytest.approx(float(exact.covariances[-1, 0, 0]), rel=0.012)
    assert law.covariances[8, 0, 0] > 1.015 * law.covariances[-1, 0, 0]


def test_a_slowly_decaying_covariance_is_not_cut_short():
    """Powered exponential: autoregressions that predict as well miss a twentieth of the covariance."""
    process = KernelProcess(powered_exponential(variance=2.004, length=8.0**1.25, power=0.8))
    errors = []
    for seed in range(4):
        paths = _paths(process, 2048, 32, seed)[:, :, 0]
        truth = process.covariance(32)
        errors.append(np.linalg.norm(toeplitz(arma_autocovariances(paths, 2, 2)) - truth) / np.linalg.norm(truth))
    assert np.mean(errors) < 0.04
