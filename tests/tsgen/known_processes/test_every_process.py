"""What every process must satisfy: moments, one-step forecasts that are calibrated, past-only laws, prefixes."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata.known_processes import (
    Arma,
    FactorModel,
    GarchCcc,
    GaussianLaw,
    GaussianPath,
    KernelProcess,
    MarkovSwitchingAr,
    StudentTAr,
    StudentTLaw,
    VarProcess,
    powered_exponential,
    rbf,
)

CORRELATION = np.array([[1.0, 0.5, -0.2], [0.5, 1.0, 0.1], [-0.2, 0.1, 1.0]])
TWO_LAGS = np.stack([[[0.5, 0.2], [-0.1, 0.3]], [[-0.2, 0.0], [0.1, 0.2]]])
SMALL_NOISE = np.array([[1.0, 0.4], [0.4, 0.5]])

GAUSSIAN = {
    "arma": Arma([0.6, -0.3], [0.5, 0.2]),
    "arma_zero": Arma([0.6, -0.3], [0.5, 0.2], innovation_sd=2.0, start="zero"),
    "white_noise": Arma([], []),
    "powered_exponential": KernelProcess(powered_exponential(variance=1.5, length=3.0, power=1.2)),
    "rbf": KernelProcess(rbf(length=3.0, nugget=1e-3)),
    "var": VarProcess(TWO_LAGS, SMALL_NOISE),
    "var_zero": VarProcess(TWO_LAGS, SMALL_NOISE, start="zero"),
    "factor": FactorModel([[1.0, 0.0], [0.5, 1.0], [-0.3, 0.4]], [0.5, 0.3, 1.0], [0.8, -0.3]),
    "path": GaussianPath(np.arange(12.0).reshape(6, 2), 0.5 * np.eye(12) + 0.5, n_assets=2),
}
OTHER = {
    "student_t_ar": StudentTAr([0.5, 0.2], 5.0, innovation_sd=1.5, initial_values=[1.0, -1.0]),
    "markov_switching": MarkovSwitchingAr([[0.95, 0.05], [0.2, 0.8]], [0.1, -0.3], [[0.3], [-0.4]], [0.5, 2.0]),
    "garch_t": GarchCcc([0.1, 0.2, 0.1], [0.1, 0.05, 0.2], [0.8, 0.7, 0.5], CORRELATION, 6.0, [1.0, 3.0, 0.2]),
    "garch_gaussian": GarchCcc([0.1], [0.2], [0.7], [[1.0]], np.inf),
}
EVERY = {**GAUSSIAN, **OTHER}
HORIZON = 6


@pytest.mark.parametrize("name", list(EVERY))
def test_one_step_forecasts_are_calibrated(name):
    """Probability integral transforms of the margins of every period are uniform."""
    process = EVERY[name]
    paths = process.sample(4000, HORIZON, rng=np.random.default_rng(3))
    assert paths.shape == (4000, HORIZON, process.n_assets)
    pits = [process.conditional_law(paths[:, :t]).marginal_cdf(paths[:, t]) for t in range(HORIZON)]
    values = [stats.kstest(p, "uniform").pvalue for period in pits for p in period.T]
    # at most 18 tests per process, 12 processes: a false alarm of the fixed seed had probability below 1e-3
    assert min(values) > 1e-5
    # uncorrelated over time as well: z = 5 on every pair of neighbouring periods
    normal = stats.norm.ppf(np.clip(np.stack(pits), 1e-12, 1 - 1e-12))
    lagged = (normal[1:] * normal[:-1]).mean(axis=1) * np.sqrt(4000)
    assert np.abs(lagged).max() < 5.0


@pytest.mark.parametrize("name", list(EVERY))
def test_a_wrong_variance_is_found(name):
    process = EVERY[name]
    paths = process.sample(4000, HORIZON, rng=np.random.default_rng(3))
    law = process.conditional_law(paths[:, :-1])
    if isinstance(law, (GaussianLaw, StudentTLaw)):
        wrong = dataclasses.replace(law, covariance=1.6 * law.covariance)
    else:
        wrong = dataclasses.replace(law, covariances=1.6 * law.covariances)
    assert stats.kstest(wrong.marginal_cdf(paths[:, -1])[:, 0], "uniform").pvalue < 1e-5


@pytest.mark.parametrize("name", list(EVERY))
def test_an_empty_past_and_a_changed_future(name):
    process = EVERY[name]
    paths = process.sample(3, HORIZON, rng=np.random.default_rng(1))
    start = process.conditional_law(np.zeros((2, 0, process.n_assets)))
    assert start.mean.shape == (2, process.n_assets)
    assert start.covariance.shape == (2, process.n_assets, process.n_assets)
    # a law given three periods cannot know the fourth: the argument itself is the only past there is
    changed = paths.copy()
    changed[:, 3:] = 1e3
    a, b = process.conditional_law(paths[:, :3]), process.conditional_law(changed[:, :3])
    assert (a.mean == b.mean).all()
    assert (a.covariance == b.covariance).all()


@pytest.mark.parametrize("name", list(EVERY))
def test_the_law_of_the_next_period_has_the_conditional_moments(name):
    """Draws from the law, period by period, are paths of the process: mean and covariance agree with `sample`."""
    process, count = EVERY[name], 20_000
    rng = np.random.default_rng(12)
    built = np.zeros((count, 0, process.n_assets))
    for _ in range(4):
        step = process.conditional_law(built).sample(rng=rng)
        built = np.concatenate([built, step[:, None]], axis=1)
    direct = process.sample(count, 4, rng=rng)
    # bounded functions, so that the standard error also exists for heavy tails
    a, b = (np.tanh(x.reshape(count, -1) - process_centre(process)) for x in (built, direct))
    z = (a.mean(axis=0) - b.mean(axis=0)) / np.sqrt((a.var(axis=0) + b.var(axis=0)) / count)
    assert np.abs(z).max() < 5.0
    aa, bb = (x[:, :, None] * x[:, None, :] for x in (a, b))
    z = (aa.mean(axis=0) - bb.mean(axis=0)) / np.sqrt((aa.var(axis=0) + bb.var(axis=0)) / count)
    assert np.abs(z).max() < 5.0


def process_centre(process):
    return process.mean(4).ravel() if hasattr(process, "mean") else 0.0


@pytest.mark.parametrize("name", list(GAUSSIAN))
def test_sample_moments_of_gaussian_processes(name):
    process, count = GAUSSIAN[name], 20_000
    mean, covariance = process.mean(HORIZON).ravel(), process.covariance(HORIZON)
    x = process.sample(count, HORIZON, rng=np.random.default_rng(7)).reshape(count, -1) - mean
    variance = np.diag(covariance)
    assert np.abs(x.mean(axis=0) / np.sqrt(variance / count)).max() < 5.0
    # Gaussian: the variance of a product is S_ii S_jj + S_ij^2
    error = np.sqrt((np.outer(variance, variance) + covariance**2) / count)
    assert np.abs((x.T @ x / count - covariance) / error).max() < 5.0
    wrong = covariance + 0.1 * np.diag(variance)
    assert np.abs((x.T @ x / count - wrong) / error).max() > 5.0


@pytest.mark.parametrize("name", list(GAUSSIAN))
def test_shorter_horizons_are_prefixes_and_laws_follow_from_the_joint_density(name):
    process = GAUSSIAN[name]
    n = process.n_assets
    long, short = process.covariance(HORIZON), process.covariance(3)
    np.testing.assert_allclose(long[: 3 * n, : 3 * n], short, rtol=1e-10, atol=1e-12)
    x = process.sample(2, HORIZON, rng=np.random.default_rng(2))
    laws = [process.conditional_law(x[:, :t]).log_density(x[:, t]) for t in range(HORIZON)]
    joint = stats.multivariate_normal(process.mean(HORIZON).ravel(), long).logpdf(x.reshape(2, -1))
    # chain rule; the smooth kernel has a condition number near 1e4
    np.testing.assert_allclose(np.sum(laws, axis=0), joint, rtol=1e-8)


@pytest.mark.parametrize("name", list(EVERY))
def test_bad_requests(name):
    process = EVERY[name]
    rng = np.random.default_rng(0)
    with pytest.raises(ConfigError, match="n_paths must be a positive integer: got 0"):
        process.sample(0, 2, rng=rng)
    with pytest.raises(ConfigError, match=r"horizon must be a positive integer: got 2\.5"):
        process.sample(1, 2.5, rng=rng)
    with pytest.raises(ShapeError, match=r"past must have axes \(past, time, asset\)"):
        process.conditional_law(np.zeros((2, 3, process.n_assets + 1)))
    past = np.zeros((1, 1, process.n_assets))
    past[0, 0, 0] = np.inf
    with pytest.raises(DataError, match="past must be finite: 1"):
        process.conditional_law(past)
    if hasattr(process, "mean"):
        for method in (process.mean, process.covariance):
            with pytest.raises(ConfigError, match="horizon must be a positive integer"):
                method(0)


def test_sampling_repeats_with_the_seed():
    for process in EVERY.values():
        a, b = (process.sample(3, HORIZON, rng=np.random.default_rng(5)) for _ in range(2))
        assert (a == b).all()
