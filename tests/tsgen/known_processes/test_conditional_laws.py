"""Scores and velocities against the definition: quadrature, finite differences, other libraries."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata.known_processes import GaussianLaw, GaussianMixtureLaw, StudentTLaw
from tsgen.marketdata.known_processes.conditional_laws import angle_columns

ANGLES = [0.02, 0.3, 0.8, 1.3, 1.55, np.pi / 2]


def one_dimensional_laws():
    return {
        "gaussian": GaussianLaw(mean=[[0.4]], covariance=[[0.3]]),
        "mixture": GaussianMixtureLaw(
            weights=[[0.2, 0.5, 0.3]], means=[[[-1.0], [0.2], [1.5]]], covariances=[[[0.1]], [[1.0]], [[4.0]]]
        ),
        "student_t": StudentTLaw(mean=[[0.4]], covariance=[[1.3]], dof=3.0),
        "light_student_t": StudentTLaw(mean=[[-0.2]], covariance=[[0.5]], dof=60.0),
    }


def many_dimensional_laws(n_pasts=3):
    rng = np.random.default_rng(5)
    means = rng.standard_normal((n_pasts, 3))
    raw = rng.standard_normal((n_pasts, 2, 3, 4))
    covariances = raw @ np.swapaxes(raw, -1, -2) / 4 + 0.2 * np.eye(3)
    return {
        "gaussian": GaussianLaw(mean=means, covariance=covariances[:, 0]),
        "gaussian_shared": GaussianLaw(mean=means, covariance=covariances[0, 0]),
        "mixture": GaussianMixtureLaw(
            weights=np.tile([0.3, 0.7], (n_pasts, 1)),
            means=np.stack([means, -means], axis=1),
            covariances=covariances,
        ),
        "student_t": StudentTLaw(mean=means, covariance=covariances[:, 1], dof=4.5),
    }


def quadrature_at(law, u, tau):
    """Noised density, and E[cos eps - sin z | u], straight from the definition."""
    c, s = np.cos(tau), np.sin(tau)

    def joint(z):
        noise = (u - c * z) / s
        return np.exp(law.log_density([[z]])[0] - 0.5 * noise**2) / (np.sqrt(2 * np.pi) * s), noise

    # where the integrand can be large: around the noise window and around the centre of the law
    centres = np.array([u / c if c > 1e-3 else 0.0, float(law.mean[0, 0])])
    width = min(s / max(c, 1e-3), 40.0)
    points = np.unique(
        np.concatenate(
            [centres[0] + width * np.array([-8, -3, 0, 3, 8]), centres[1] + np.array([-300, -30, -5, 0, 5, 30, 300])]
        )
    )
    edges = [-np.inf, *points, np.inf]

    def integral(function):
        pieces = itertools.pairwise(edges)
        return sum(quad(function, a, b, epsabs=1e-14, epsrel=1e-11, limit=200)[0] for a, b in pieces)

    density = integral(lambda z: joint(z)[0])
    velocity = integral(lambda z: joint(z)[0] * (c * joint(z)[1] - s * z)) / density
    score = integral(lambda z: joint(z)[0] * -joint(z)[1] / s) / density
    return density, score, velocity


@pytest.mark.parametrize("name", ["gaussian", "mixture", "student_t", "light_student_t"])
@pytest.mark.parametrize(("u", "tau"), [(0.7, 0.05), (-1.2, 0.6), (6.0, 0.6), (2.5, 1.2), (0.3, 1.5)])
def test_score_and_velocity_are_the_posterior_expectations(name, u, tau):
    law = one_dimensional_laws()[name]
    _, score, velocity = quadrature_at(law, u, tau)
    # quad is asked for 1e-11 relative per piece; the noise (u - cz)/s loses another factor 1/s^2
    assert law.velocity([[u]], tau)[0, 0] == pytest.approx(velocity, abs=3e-8)
    assert law.noised_score([[u]], tau)[0, 0] == pytest.approx(score, rel=1e-7, abs=1e-7)


def test_a_wrong_tail_fails_the_quadrature():
    law, wrong = (StudentTLaw(mean=[[0.4]], covariance=[[1.3]], dof=dof) for dof in (3.0, 3.3))
    _, _, velocity = quadrature_at(law, 6.0, 0.6)
    assert abs(wrong.velocity([[6.0]], 0.6)[0, 0] - velocity) > 1e-2


@pytest.mark.parametrize("name", ["gaussian", "gaussian_shared", "mixture", "student_t"])
@pytest.mark.parametrize("tau", ANGLES)
def test_score_and_velocity_agree_by_tweedie(name, tau):
    # the score is -E[eps | u] / sin, and F = cos E[eps | u] - sin E[z | u], u = cos z + sin eps:
    # cos u - sin F = z, so cos(tau) F = -sin (u + score) in exact arithmetic
    law = many_dimensional_laws()[name]
    u = np.random.default_rng(1).standard_normal(law.mean.shape) * 2
    left = np.cos(tau) * law.velocity(u, tau)
    right = -np.sin(tau) * (u + law.noised_score(u, tau))
    np.testing.assert_allclose(left, right, atol=1e-11 / np.sin(tau))


def test_score_is_the_gradient_of_the_noised_log_density():
    law, tau = many_dimensional_laws()["mixture"], 0.7
    c, s = np.cos(tau), np.sin(tau)
    noised = GaussianMixtureLaw(
        weights=law.weights, means=c * law.means, covariances=c**2 * law.covariances + s**2 * np.eye(3)
    )
    u, step = np.random.default_rng(2).standard_normal((3, 3)), 1e-5
    for n in range(3):
        shift = step * np.eye(3)[n]
        slope = (noised.log_density(u + shift) - noised.log_density(u - shift)) / (2 * step)
        # central differences: step^2 truncation and 1e-16/step rounding, both about 1e-10
        np.testing.assert_allclose(law.noised_score(u, tau)[:, n], slope, atol=1e-8)


def test_student_t_in_three_dimensions_against_another_integration():
    # self-normalised average over W drawn by inverse transform: independent of the trapezoidal nodes
    law = StudentTLaw(mean=[[0.2, -0.1, 0.0]], covariance=np.diag([1.0, 2.0, 0.5]), dof=5.0)
    tau, u = 0.9, np.array([[1.5, -2.0, 0.3]])
    c, s = np.cos(tau), np.sin(tau)
    level = (np.arange(200_000) + 0.5) / 200_000
    mixing = 5.0 / stats.chi2.ppf(level, 5.0)
    variance = c**2 * mixing[:, None] * np.array([1.0, 2.0, 0.5]) * 3.0 / 5.0 + s**2
    residual = u - c * law.mean
    weight = np.exp(-0.5 * (residual**2 / variance + np.log(variance)).sum(axis=1))
    score = -(weight[:, None] * residual / variance).sum(axis=0) / weight.sum()
    # midpoint rule in the probability with 2e5 cells
    np.testing.assert_allclose(law.noised_score(u, tau)[0], score, atol=1e-5)


@pytest.mark.parametrize("tau", [1e-6, 1e-3, 0.01])
@pytest.mark.parametrize("dof", [2.05, 4.0, 1e4])
@pytest.mark.parametrize("x", [0.0, 1.0, 1e3])
def test_student_t_score_tends_to_the_clean_score(dof, tau, x):
    law = StudentTLaw(mean=[[0.0]], covariance=[[1.0]], dof=dof)
    scale = (dof - 2.0) / dof
    clean = -(dof + 1.0) * x / (dof * scale + x**2)
    # noise of variance tau^2 moves the score by O(tau^2 score'' / scale); the scale is 0.024 for dof 2.05
    tolerance = 1e-9 + 5.0 * tau**2 / scale**2 * (1.0 + abs(clean))
    if tau < 0.01 or scale > 0.1:  # otherwise the noise is not small against the scale
        assert law.noised_score([[x * np.cos(tau)]], tau)[0, 0] == pytest.approx(clean, abs=tolerance, rel=1e-6)


def test_student_t_answers_do_not_depend_on_the_rows_beside_them():
    law = StudentTLaw(mean=np.zeros((2, 2)), covariance=np.eye(2), dof=4.0)
    alone = StudentTLaw(mean=np.zeros((1, 2)), covariance=np.eye(2), dof=4.0)
    together = law.velocity([[0.5, 0.1], [1e4, -1e4]], 0.4)[0]
    # other rows move the nodes, so equal only to the accuracy of the rule
    np.testing.assert_allclose(alone.velocity([[0.5, 0.1]], 0.4)[0], together, atol=1e-12)


@pytest.mark.parametrize("name", ["gaussian", "gaussian_shared", "mixture", "student_t"])
def test_pure_noise_predicts_minus_the_mean(name):
    law = many_dimensional_laws()[name]
    u = np.random.default_rng(3).standard_normal(law.mean.shape)
    # cos(pi/2) is 6e-17 in floating point
    np.testing.assert_allclose(law.velocity(u, np.pi / 2), -law.mean, atol=1e-14)
    np.testing.assert_allclose(law.noised_score(u, np.pi / 2), -u, atol=1e-14)


@pytest.mark.parametrize("name", ["gaussian", "mixture", "student_t"])
def test_one_angle_per_past(name):
    law = many_dimensional_laws()[name]
    u, taus = np.random.default_rng(4).standard_normal((3, 3)), np.array([0.2, 0.9, 1.5])
    for method in (law.velocity, law.noised_score):
        rows = np.stack([method(u, tau)[b] for b, tau in enumerate(taus)])
        np.testing.assert_allclose(method(u, taus), rows, atol=1e-12)


def test_velocity_is_the_regression_of_the_target():
    # E[v | u] is the L2 projection: the residual v - F is orthogonal to functions of u
    rng = np.random.default_rng(11)
    count, tau = 100_000, 0.7
    law = GaussianMixtureLaw(
        weights=np.tile([0.3, 0.7], (count, 1)), means=np.tile([[-1.0], [0.5]], (count, 1, 1)), covariances=[[0.2]]
    )
    z, eps = law.sample(rng=rng), rng.standard_normal((count, 1))
    u, v = np.cos(tau) * z + np.sin(tau) * eps, np.cos(tau) * eps - np.sin(tau) * z
    for velocity, passes in ((law.velocity(u, tau), True), (law.velocity(u, tau + 0.1), False)):
        products = (v - velocity) * np.concatenate([u, u**2, np.tanh(3 * u)], axis=1)
        z_scores = products.mean(axis=0) / (products.std(axis=0) / np.sqrt(count))
        assert bool(np.abs(z_scores).max() < 5.0) is passes


def test_densities_and_margins_against_scipy():
    rng = np.random.default_rng(6)
    covariance = np.array([[2.0, 0.6], [0.6, 0.5]])
    mean, x = rng.standard_normal((4, 2)), rng.standard_normal((4, 2))
    gaussian = GaussianLaw(mean=mean, covariance=covariance)
    student = StudentTLaw(mean=mean, covariance=covariance, dof=5.0)
    for b in range(4):
        expected = stats.multivariate_normal(mean[b], covariance).logpdf(x[b])
        assert gaussian.log_density(x)[b] == pytest.approx(expected, abs=1e-12)
        expected = stats.multivariate_t(mean[b], covariance * 3 / 5, df=5.0).logpdf(x[b])
        assert student.log_density(x)[b] == pytest.approx(expected, abs=1e-12)
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(gaussian.marginal_cdf(x), stats.norm.cdf(x, mean, sd), atol=1e-14)
    np.testing.assert_allclose(
        student.marginal_cdf(x), stats.t.cdf(x, 5.0, loc=mean, scale=sd * np.sqrt(0.6)), atol=1e-13
    )
    mixture = GaussianMixtureLaw(weights=np.full((4, 2), 0.5), means=np.stack([mean, mean], 1), covariances=covariance)
    np.testing.assert_allclose(mixture.log_density(x), gaussian.log_density(x), atol=1e-12)
    np.testing.assert_allclose(mixture.marginal_cdf(x), gaussian.marginal_cdf(x), atol=1e-14)


@pytest.mark.parametrize("name", ["gaussian", "gaussian_shared", "mixture", "student_t"])
def test_draws_have_the_stated_moments(name):
    one = many_dimensional_laws()[name]
    count = 50_000

    def repeat(a):
        return np.repeat(a[:1], count, axis=0)

    if name == "mixture":
        law = GaussianMixtureLaw(weights=repeat(one.weights), means=repeat(one.means), covariances=one.covariances[:1])
    elif name == "student_t":
        # dof 9: the fourth moment, of which the standard error is made, exists with room
        law = StudentTLaw(mean=repeat(one.mean), covariance=one.covariance[0], dof=9.0)
    else:
        law = GaussianLaw(mean=repeat(one.mean), covariance=one.covariance[0])
    x = law.sample(rng=np.random.default_rng(8))
    z_mean = (x.mean(axis=0) - one.mean[0]) / (x.std(axis=0) / np.sqrt(count))
    deviation = x - one.mean[0]
    products = deviation[:, :, None] * deviation[:, None, :]
    z_cov = (products.mean(axis=0) - one.covariance[0]) / (products.std(axis=0) / np.sqrt(count))
    assert np.abs(z_mean).max() < 5.0
    assert np.abs(z_cov).max() < 5.0


def test_an_impossible_component_has_no_influence():
    pair = GaussianMixtureLaw(weights=[[1.0, 0.0]], means=[[[0.5], [9.0]]], covariances=[[0.7]])
    single = GaussianLaw(mean=[[0.5]], covariance=[[0.7]])
    assert pair.velocity([[8.0]], 0.3) == pytest.approx(single.velocity([[8.0]], 0.3), abs=1e-14)
    assert pair.sample(rng=np.random.default_rng(0)).shape == (1, 1)


@pytest.mark.parametrize("law", list(one_dimensional_laws().values()))
def test_bad_points_and_angles(law):
    with pytest.raises(ShapeError, match="one row per past"):
        law.velocity([0.0], 0.5)
    with pytest.raises(DataError, match="points must be finite: 1"):
        law.log_density([[np.nan]])
    for tau in (0.0, -0.1, 1.6, np.nan):
        with pytest.raises(ConfigError, match=r"tau must be in \(0, pi/2\]"):
            law.noised_score([[0.0]], tau)
    with pytest.raises(ShapeError, match="tau must be one number or one per past"):
        law.velocity([[0.0]], [0.1, 0.2])


def test_angle_rounded_in_single_precision_is_accepted():
    cosine, _ = angle_columns(np.float32(np.pi / 2), 1)
    assert abs(cosine.item()) < 1e-7


@pytest.mark.parametrize("make", [GaussianLaw, lambda **k: StudentTLaw(**k, dof=5.0)])
def test_bad_gaussian_and_student_t(make):
    with pytest.raises(ShapeError, match=r"mean must have axes \(past, asset\)"):
        make(mean=[0.0], covariance=[[1.0]])
    with pytest.raises(DataError, match="mean must be finite: 1"):
        make(mean=[[np.inf]], covariance=[[1.0]])
    with pytest.raises(ShapeError, match="covariance must match the mean"):
        make(mean=[[0.0]], covariance=np.eye(2))
    with pytest.raises(DataError, match="positive definite"):
        make(mean=[[0.0, 0.0]], covariance=[[1.0, 2.0], [2.0, 1.0]])


def test_bad_mixtures():
    good = {"weights": [[0.5, 0.5]], "means": [[[0.0], [1.0]]], "covariances": [[1.0]]}
    with pytest.raises(ShapeError, match="means must have axes"):
        GaussianMixtureLaw(**{**good, "means": [[0.0, 1.0]]})
    with pytest.raises(DataError, match="means must be finite: 1"):
        GaussianMixtureLaw(**{**good, "means": [[[0.0], [np.nan]]]})
    with pytest.raises(ShapeError, match="one entry per past and component"):
        GaussianMixtureLaw(**{**good, "weights": [[1.0]]})
    for weights in ([[0.5, 0.6]], [[1.5, -0.5]], [[np.nan, 1.0]]):
        with pytest.raises(DataError, match="mixture weights must be non-negative and sum to one"):
            GaussianMixtureLaw(**{**good, "weights": weights})
    with pytest.raises(ShapeError, match="covariances must broadcast"):
        GaussianMixtureLaw(**{**good, "covariances": np.ones((3, 1, 1))})


@pytest.mark.parametrize("dof", [2.0, -1.0, np.inf, np.nan])
def test_bad_degrees_of_freedom(dof):
    with pytest.raises(ConfigError, match="dof must be a finite number above 2"):
        StudentTLaw(mean=[[0.0]], covariance=[[1.0]], dof=dof)
