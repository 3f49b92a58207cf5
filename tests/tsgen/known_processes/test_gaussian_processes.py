"""ARMA, kernels, VAR, factor model and the path law against statsmodels and textbook formulas."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.tsa.arima_process import ArmaProcess
from statsmodels.tsa.statespace.sarimax import SARIMAX
from statsmodels.tsa.vector_ar.var_model import var_acf

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata.known_processes import (
    Arma,
    FactorModel,
    GaussianPath,
    KernelProcess,
    VarProcess,
    powered_exponential,
    rbf,
)

PHI, THETA = [0.6, -0.3], [0.5, 0.2]


@pytest.mark.parametrize(("phi", "theta"), [(PHI, THETA), ([0.9], []), ([], [0.4]), ([], []), ([0.1] * 5, [0.2] * 3)])
@pytest.mark.parametrize("periods", [1, 2, 8])
def test_arma_covariance_is_the_acovf(phi, theta, periods):
    process = Arma(phi, theta, innovation_sd=1.5)
    reference = ArmaProcess.from_coeffs(phi, theta).acovf(50)[:periods] * 1.5**2
    np.testing.assert_allclose(process.covariance(periods)[0], reference, rtol=1e-10)


def test_arma_likelihood_is_that_of_the_kalman_filter():
    x = Arma(PHI, THETA).sample(1, 40, rng=np.random.default_rng(0))[0, :, 0]
    reference = SARIMAX(x, order=(2, 0, 2)).loglike([*PHI, *THETA, 1.0])
    ours = stats.multivariate_normal(np.zeros(40), Arma(PHI, THETA).covariance(40)).logpdf(x)
    assert ours == pytest.approx(reference, rel=1e-9)
    assert Arma(PHI, [-t for t in THETA]).covariance(40)[0, 1] != pytest.approx(Arma(PHI, THETA).covariance(40)[0, 1])


def test_arma_from_zero_is_its_recursion():
    process = Arma(PHI, THETA, innovation_sd=0.7, start="zero")
    # columns of the impulse response: x as a linear map of the innovations, by the recursion itself
    periods, unit = 6, np.eye(6)
    x = np.zeros((periods, periods))
    for t in range(periods):
        x[t] = unit[t]
        for lag, (phi, theta) in enumerate(zip(PHI, THETA, strict=True), start=1):
            if t >= lag:
                x[t] += phi * x[t - lag] + theta * unit[t - lag]
    np.testing.assert_allclose(process.covariance(periods), 0.49 * x @ x.T, atol=1e-14)
    # both starts forget where they began
    late, stationary = Arma(PHI, THETA, start="zero").covariance(60), Arma(PHI, THETA).covariance(60)
    np.testing.assert_allclose(late[-5:, -5:], stationary[-5:, -5:], atol=1e-9)


def test_arma_errors():
    with pytest.raises(ConfigError, match=r"phi must give a stationary process.*modulus 1"):
        Arma([1.0], [])
    with pytest.raises(ConfigError, match=r"theta must give an invertible process.*modulus 0.5"):
        Arma([], [2.0])
    with pytest.raises(ConfigError, match="innovation_sd must be positive"):
        Arma(PHI, THETA, innovation_sd=0.0)
    with pytest.raises(ConfigError, match="start must be 'stationary' or 'zero'"):
        Arma(PHI, THETA, start="burn")
    with pytest.raises(ShapeError, match="phi must be one-dimensional"):
        Arma([[0.5]], [])
    with pytest.raises(DataError, match="theta must be finite"):
        Arma([], [np.nan])


def test_kernels():
    process = KernelProcess(powered_exponential(variance=2.0, length=4.0, power=1.0))
    # the Ornstein-Uhlenbeck kernel is an AR(1)
    rho = np.exp(-0.25)
    reference = Arma([rho], [], innovation_sd=np.sqrt(2.0 * (1 - rho**2)))
    np.testing.assert_allclose(process.covariance(5), reference.covariance(5), rtol=1e-12)
    smooth = KernelProcess(rbf(length=2.0, variance=3.0, nugget=0.1)).covariance(3)
    assert smooth[0, 0] == pytest.approx(3.1)
    assert smooth[0, 2] == pytest.approx(3.0 * np.exp(-0.5))


def test_kernel_errors():
    with pytest.raises(ConfigError, match="kernel must be a function"):
        KernelProcess("rbf")
    with pytest.raises(ConfigError, match=r"power must be in \(0, 2\]"):
        powered_exponential(variance=1.0, length=1.0, power=2.5)
    with pytest.raises(ConfigError, match="variance and length must be positive"):
        powered_exponential(variance=1.0, length=0.0, power=1.0)
    with pytest.raises(ConfigError, match="variance, length and nugget must be positive"):
        rbf(length=1.0, nugget=0.0)
    with pytest.raises(ShapeError, match="kernel must return a covariance per pair"):
        KernelProcess(lambda s, t: np.ones(3)).covariance(2)
    with pytest.raises(DataError, match="positive definite"):
        KernelProcess(lambda s, t: -np.exp(-np.abs(s - t))).sample(1, 3, rng=np.random.default_rng(0))


def test_var_covariance_is_the_one_of_statsmodels():
    coefficients = np.stack([[[0.5, 0.2], [-0.1, 0.3]], [[-0.2, 0.0], [0.1, 0.2]]])
    noise = np.array([[1.0, 0.4], [0.4, 0.5]])
    covariance = VarProcess(coefficients, noise).covariance(4)
    reference = var_acf(coefficients, noise, nlags=3)
    for t in range(4):
        for s in range(t + 1):
            block = covariance[2 * t : 2 * t + 2, 2 * s : 2 * s + 2]
            # statsmodels: gamma(h) = E x_t x_{t-h}'
            np.testing.assert_allclose(block, reference[t - s], atol=1e-12)
    assert np.abs(covariance - covariance.T).max() < 1e-14


@pytest.mark.parametrize("start", ["stationary", "zero"])
def test_var_law_by_recursion_equals_the_law_of_the_joint_covariance(start):
    process = VarProcess.random_first_order(4, spectral_radius=0.9, rng=np.random.default_rng(4), start=start)
    past = process.sample(3, 5, rng=np.random.default_rng(5))
    direct, joint = process.conditional_law(past), GaussianPath.of(process, 6).conditional_law(past)
    # the condition number of the joint covariance is below 1e4
    np.testing.assert_allclose(direct.mean, joint.mean, atol=1e-10)
    np.testing.assert_allclose(direct.covariance, joint.covariance, atol=1e-10)
    np.testing.assert_allclose(np.diag(process.innovation_covariance), 1.0, rtol=1e-12)


def test_var_errors():
    with pytest.raises(ShapeError, match=r"coefficients must have shape \(p, N, N\)"):
        VarProcess(np.eye(2), np.eye(2))
    with pytest.raises(DataError, match="coefficients must be finite"):
        VarProcess(np.full((1, 2, 2), np.nan), np.eye(2))
    with pytest.raises(ShapeError, match=r"innovation_covariance must be \(2, 2\)"):
        VarProcess(0.1 * np.eye(2)[None], np.eye(3))
    with pytest.raises(ConfigError, match=r"stable process.*got 1"):
        VarProcess(np.eye(2)[None], np.eye(2))
    with pytest.raises(ConfigError, match="start must be"):
        VarProcess(0.1 * np.eye(2)[None], np.eye(2), start="x")
    for radius in (1.0, -0.1, np.nan):
        with pytest.raises(ConfigError, match=r"spectral_radius must be in \[0, 1\)"):
            VarProcess.random_first_order(2, spectral_radius=radius, rng=np.random.default_rng(0))


def test_factor_model_without_memory_repeats_the_cross_section():
    loadings = np.array([[1.0], [2.0]])
    covariance = FactorModel(loadings, [0.5, 0.1]).covariance(2)
    cross_section = loadings @ loadings.T + np.diag([0.25, 0.01])
    np.testing.assert_allclose(covariance, np.kron(np.eye(2), cross_section), atol=1e-14)


def test_factor_model_errors():
    with pytest.raises(ShapeError, match=r"loadings must have axes \(asset, factor\)"):
        FactorModel([1.0], [1.0])
    with pytest.raises(DataError, match="loadings must be finite"):
        FactorModel([[np.inf]], [1.0])
    with pytest.raises(ShapeError, match=r"idiosyncratic_sd must have one entry per asset: expected \(1,\)"):
        FactorModel([[1.0]], [1.0, 1.0])
    with pytest.raises(ConfigError, match="idiosyncratic_sd must be positive"):
        FactorModel([[1.0]], [0.0])
    with pytest.raises(ShapeError, match="persistence must be one number or one per factor"):
        FactorModel([[1.0]], [1.0], [0.1, 0.2])
    with pytest.raises(ConfigError, match=r"persistence must be in \(-1, 1\)"):
        FactorModel([[1.0]], [1.0], 1.0)


def test_gaussian_path_by_the_regression_formula():
    rng = np.random.default_rng(9)
    raw = rng.standard_normal((6, 9))
    covariance, mean = raw @ raw.T, rng.standard_normal((3, 2))
    past = rng.standard_normal((4, 2, 2))
    law = GaussianPath(mean, covariance, n_assets=2).conditional_law(past)
    known, cross = covariance[:4, :4], covariance[4:, :4]
    weights = np.linalg.solve(known, cross.T).T
    np.testing.assert_allclose(law.mean, mean[2] + (past - mean[:2]).reshape(4, 4) @ weights.T, atol=1e-11)
    np.testing.assert_allclose(law.covariance[0], covariance[4:, 4:] - weights @ cross.T, atol=1e-11)


def test_gaussian_path_errors():
    with pytest.raises(ShapeError, match="one matrix of"):
        GaussianPath(np.zeros(3), np.eye(3), n_assets=2)
    with pytest.raises(ShapeError, match=r"mean must have shape \(3, 1\)"):
        GaussianPath(np.zeros(2), np.eye(3))
    with pytest.raises(DataError, match="mean must be finite: 1"):
        GaussianPath([0.0, np.nan], np.eye(2))
    with pytest.raises(ConfigError, match="n_assets must be a positive integer: got True"):
        GaussianPath([0.0], [[1.0]], n_assets=True)
    path = GaussianPath(np.zeros(2), np.eye(2))
    with pytest.raises(ConfigError, match="horizon must be at most 2"):
        path.sample(1, 3, rng=np.random.default_rng(0))
    with pytest.raises(ConfigError, match="horizon must be at most 2"):
        path.conditional_law(np.zeros((1, 2, 1)))
