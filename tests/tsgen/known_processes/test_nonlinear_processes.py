"""Student-t AR, Markov switching and GARCH against statsmodels, arch and brute force."""

import itertools

import numpy as np
import pytest
from arch.univariate import GARCH, StudentsT, ZeroMean
from scipy import stats
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata.known_processes import GarchCcc, MarkovSwitchingAr, StudentTAr

TRANSITION = np.array([[0.9, 0.1], [0.3, 0.7]])


def switching(**changed):
    fields = {
        "transition": TRANSITION,
        "intercepts": [0.2, -0.5],
        "phi": [[0.3, 0.1], [-0.4, 0.2]],
        "sds": [0.5, 2.0],
        "initial_values": [0.3, -0.2],
    }
    return MarkovSwitchingAr(**{**fields, **changed})


def garch(**changed):
    fields = {
        "omega": [0.1, 0.2],
        "alpha": [0.1, 0.2],
        "beta": [0.8, 0.5],
        "correlation": [[1.0, 0.4], [0.4, 1.0]],
        "dof": 5.0,
    }
    return GarchCcc(**{**fields, **changed})


def test_student_t_innovations_have_the_stated_law():
    process = StudentTAr([0.5, -0.2], 4.0, innovation_sd=2.0, initial_values=[3.0, 1.0])
    x = process.sample(5000, 3, rng=np.random.default_rng(0))[:, :, 0]
    # first period: 0.5 * 1 - 0.2 * 3, most recent value last
    assert process.conditional_law(np.zeros((1, 0, 1))).mean.item() == pytest.approx(-0.1)
    innovations = x[:, 2] - 0.5 * x[:, 1] + 0.2 * x[:, 0]
    scale = 2.0 * np.sqrt(2.0 / 4.0)
    assert stats.kstest(innovations, stats.t(4.0, scale=scale).cdf).pvalue > 1e-4
    assert stats.kstest(innovations, stats.t(4.0, scale=2.0).cdf).pvalue < 1e-4  # scale taken for standard deviation


def test_student_t_ar_errors():
    with pytest.raises(ConfigError, match="dof must be a finite number above 2"):
        StudentTAr([0.5], 2.0)
    with pytest.raises(ConfigError, match="innovation_sd must be positive"):
        StudentTAr([0.5], 3.0, innovation_sd=-1.0)
    with pytest.raises(ShapeError, match="initial_values must have one entry per lag: expected 1, got 2"):
        StudentTAr([0.5], 3.0, initial_values=[0.0, 0.0])


def test_hamilton_filter_against_enumeration_of_regimes():
    process = switching()
    past = process.sample(3, 5, rng=np.random.default_rng(1))
    phi, sds = np.asarray(process.phi), np.asarray(process.sds)
    for b in range(3):
        x = np.concatenate([[0.3, -0.2], past[b, :, 0]])
        weights = np.zeros(2)
        for regimes in itertools.product(range(2), repeat=6):
            p = process.stationary_probabilities[regimes[0]]
            for t in range(5):
                s = regimes[t]
                mean = np.asarray(process.intercepts)[s] + phi[s] @ x[t : t + 2][::-1]
                p *= stats.norm.pdf(x[t + 2], mean, sds[s]) * TRANSITION[s, regimes[t + 1]]
            weights[regimes[5]] += p
        np.testing.assert_allclose(process.conditional_law(past).weights[b], weights / weights.sum(), rtol=1e-11)


def test_hamilton_filter_against_statsmodels():
    process = switching()
    x = process.sample(1, 60, rng=np.random.default_rng(2))
    history = np.concatenate([[0.3, -0.2], x[0, :, 0]])
    lags = np.column_stack([history[1:-1], history[:-2]])
    model = MarkovRegression(x[0, :, 0], k_regimes=2, exog=lags, switching_variance=True)
    values = {
        "p[0->0]": 0.9, "p[1->0]": 0.3, "const[0]": 0.2, "const[1]": -0.5, "x1[0]": 0.3, "x1[1]": -0.4,
        "x2[0]": 0.1, "x2[1]": 0.2, "sigma2[0]": 0.25, "sigma2[1]": 4.0,
    }  # fmt: skip
    fitted = model.filter([values[name] for name in model.param_names])
    ours = [process.conditional_law(x[:, :t]) for t in range(60)]
    log_likelihood = sum(law.log_density(x[:, t])[0] for t, law in enumerate(ours))
    assert log_likelihood == pytest.approx(fitted.llf, rel=1e-9)
    filtered = np.asarray(fitted.filtered_marginal_probabilities)
    predicted = np.stack([law.weights[0] for law in ours])
    np.testing.assert_allclose(predicted[1:], (filtered @ TRANSITION)[:-1], atol=1e-9)


def test_hamilton_filter_survives_impossible_values_and_regimes():
    process = switching(transition=[[1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_array_equal(process.stationary_probabilities, [1.0, 0.0])
    weights = process.conditional_law(np.full((1, 2, 1), 1e6)).weights
    np.testing.assert_array_equal(weights, [[1.0, 0.0]])


def test_markov_switching_errors():
    with pytest.raises(ShapeError, match="transition must be a square matrix"):
        switching(transition=[[0.5, 0.5]])
    for rows in ([[0.9, 0.3], [0.1, 0.7]], [[1.2, -0.2], [0.5, 0.5]], [[np.nan, 1.0], [0.5, 0.5]]):
        with pytest.raises(DataError, match="rows of transition must be probabilities"):
            switching(transition=rows)
    with pytest.raises(DataError, match="transition must have one stationary law"):
        switching(transition=np.eye(2))
    with pytest.raises(ShapeError, match="every regime needs an intercept, a row of phi and an sd"):
        switching(intercepts=[0.0])
    with pytest.raises(DataError, match="phi must be finite"):
        switching(phi=[[np.nan, 0.0], [0.0, 0.0]])
    with pytest.raises(ConfigError, match="sds must be positive"):
        switching(sds=[1.0, 0.0])
    with pytest.raises(ShapeError, match="initial_values must have one entry per lag"):
        switching(initial_values=[0.0])


@pytest.mark.parametrize("dof", [6.0, np.inf])
def test_garch_recursion_is_the_one_of_arch(dof):
    process = GarchCcc([0.1], [0.15], [0.8], [[1.0]], dof, [2.5])
    x = process.sample(1, 200, rng=np.random.default_rng(3))
    shocks = process.shocks(1, 200, rng=np.random.default_rng(3))[0, :, 0]  # the same draws
    simulated, variances = GARCH(p=1, q=1).simulate(
        [0.1, 0.15, 0.8], 200, lambda size: shocks[:size], burn=0, initial_value=2.5
    )
    np.testing.assert_allclose(x[0, :, 0], simulated, rtol=1e-12)
    np.testing.assert_allclose(process.variances(x)[0, :-1, 0], variances, rtol=1e-12)


def test_garch_forecast_is_the_one_of_arch():
    process = GarchCcc([0.1], [0.15], [0.8], [[1.0]], 6.0, [2.5])
    x = process.sample(1, 800, rng=np.random.default_rng(4))
    model = ZeroMean(x[0, :, 0], volatility=GARCH(p=1, q=1), distribution=StudentsT(), rescale=False)
    forecast = model.fix([0.1, 0.15, 0.8, 6.0]).forecast(horizon=1).variance.to_numpy()[-1, 0]
    # arch starts from another variance: forgotten like 0.8^800
    assert process.conditional_law(x).covariance.item() == pytest.approx(forecast, rel=1e-9)


def test_garch_shocks_have_the_law_of_arch():
    process = GarchCcc([0.1], [0.15], [0.8], [[1.0]], 6.0)
    ours = process.shocks(100, 100, rng=np.random.default_rng(5)).ravel()
    theirs = StudentsT(seed=np.random.default_rng(6)).simulate(6.0)(10_000)
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-4
    assert stats.ks_2samp(1.1 * ours, theirs).pvalue < 1e-4


def test_garch_conditional_covariance_and_common_scale():
    process = garch(start_variance=[4.0, 9.0])
    law = process.conditional_law(np.zeros((1, 0, 2)))
    np.testing.assert_allclose(law.covariance[0], [[4.0, 2.4], [2.4, 9.0]], rtol=1e-12)
    z = process.shocks(40_000, 1, rng=np.random.default_rng(7))[:, 0]
    expected = stats.multivariate_t(shape=0.6 * np.array([[1.0, 0.4], [0.4, 1.0]]), df=5.0, seed=3).cdf([-1.0, -1.0])
    hits = (z < -1.0).all(axis=1).mean()
    # binomial error, plus 1e-3 for scipy's quasi-Monte Carlo
    assert abs(hits - expected) < 5.0 * np.sqrt(expected / 40_000) + 1e-3


def test_garch_stationary_variance_is_the_default_start():
    np.testing.assert_allclose(garch().start_variance, [1.0, 2.0 / 3.0])


def test_garch_errors():
    with pytest.raises(ShapeError, match="must describe the same assets"):
        garch(alpha=[0.1])
    with pytest.raises(ConfigError, match="omega must be positive"):
        garch(omega=[0.0, 0.1])
    for alpha in ([-0.1, 0.1], [0.3, 0.1]):
        with pytest.raises(ConfigError, match=r"alpha and beta must be non-negative with alpha \+ beta < 1"):
            garch(alpha=alpha)
    with pytest.raises(DataError, match="correlation must have a unit diagonal"):
        garch(correlation=[[2.0, 0.4], [0.4, 1.0]])
    with pytest.raises(ConfigError, match="dof must be a finite number above 2"):
        garch(dof=2.0)
    with pytest.raises(ShapeError, match="start_variance must have one entry per asset"):
        garch(start_variance=[1.0])
    with pytest.raises(ConfigError, match="start_variance must be positive"):
        garch(start_variance=[1.0, 0.0])
