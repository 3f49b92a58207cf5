"""The exact tilt against quadrature and against weighted samples of the definition."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.steering.linear_quadratic import (
    Gaussian,
    IllPosedTiltError,
    QuadraticReward,
    gaussian_divergence,
    tilted_gaussian,
)


@pytest.mark.parametrize(("curvature", "beta"), [(-2.0, 0.3), (0.0, 1.0), (0.5, 1.4)])
def test_one_dimension_against_quadrature(curvature, beta):
    m, sd, c = 0.4, 1.3, -0.7
    reward = QuadraticReward(hessian=np.array([[curvature]]), gradient=np.array([c]), constant=0.2)

    def weight(x):
        return np.exp((0.5 * curvature * x**2 + c * x + 0.2) / beta) * norm.pdf(x, m, sd)

    z, mean, second = (
        quad(lambda x, k=k: x**k * weight(x), -25, 25, points=[-2, 0, 2], epsabs=1e-13, limit=400)[0] for k in range(3)
    )
    tilt = tilted_gaussian(Gaussian(np.array([m]), np.array([[sd**2]])), reward, beta)
    assert tilt.log_partition == pytest.approx(np.log(z), abs=1e-9)
    assert tilt.law.mean[0] == pytest.approx(mean / z, abs=1e-8)
    assert tilt.law.covariance[0, 0] == pytest.approx(second / z - (mean / z) ** 2, abs=1e-8)


def test_density_ratio_in_four_dimensions():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 4, 4))
    law = Gaussian(rng.standard_normal(4), a @ a.T + np.eye(4))
    reward = QuadraticReward(hessian=-(b @ b.T), gradient=rng.standard_normal(4), constant=0.3)
    tilt = tilted_gaussian(law, reward, 0.8)
    before, after = multivariate_normal(law.mean, law.covariance), multivariate_normal(*tilt.law)
    for x in rng.standard_normal((5, 4)):
        expected = before.logpdf(x) + reward.value(x) / 0.8 - tilt.log_partition
        assert after.logpdf(x) == pytest.approx(expected, abs=1e-10)


def test_divergence_against_its_definition_and_tiny_differences():
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, 3, 3))
    one = Gaussian(rng.standard_normal(3), a @ a.T + np.eye(3))
    two = Gaussian(rng.standard_normal(3), b @ b.T + np.eye(3))
    inverse, shift = np.linalg.inv(two.covariance), one.mean - two.mean
    by_definition = 0.5 * (
        np.trace(inverse @ one.covariance)
        - 3
        + shift @ inverse @ shift
        + np.linalg.slogdet(two.covariance)[1]
        - np.linalg.slogdet(one.covariance)[1]
    )
    assert gaussian_divergence(one, two) == pytest.approx(by_definition, rel=1e-12)
    # variance 1 + e against 1: (e - log(1 + e)) / 2 = e^2 / 4; the definition would give rounding
    for e in (1e-3, 1e-6):
        wide = Gaussian(np.zeros(1), np.array([[1 + e]]))
        assert gaussian_divergence(wide, Gaussian(np.zeros(1), np.eye(1))) == pytest.approx(e**2 / 4, rel=2e-3)


def test_a_tilt_that_does_not_exist_is_refused_and_the_threshold_is_exact():
    law = Gaussian(np.zeros(2), np.diag([4.0, 1.0]))
    reward = QuadraticReward(hessian=np.diag([0.5, -1.0]), gradient=np.zeros(2))
    with pytest.raises(IllPosedTiltError, match=r"its exponential moment is infinite\. Use a temperature above 2") as e:
        tilted_gaussian(law, reward, 2.0)
    assert e.value.smallest_temperature == pytest.approx(2.0)
    # just above: variance 4 / (1 - 2 / 2.0002)
    assert tilted_gaussian(law, reward, 2.0002).law.covariance[0, 0] == pytest.approx(4 / (1 - 2 / 2.0002), rel=1e-9)
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(ConfigError, match="temperature must be a finite number above zero"):
            tilted_gaussian(law, reward, bad)


def test_bad_rewards_are_refused():
    with pytest.raises(ShapeError, match="hessian and gradient must belong together"):
        QuadraticReward(hessian=np.eye(2), gradient=np.zeros(3))
    with pytest.raises(DataError, match="hessian must be symmetric"):
        QuadraticReward(hessian=np.array([[0.0, 1.0], [0.0, 0.0]]), gradient=np.zeros(2))
    with pytest.raises(DataError, match="gradient and constant must be finite"):
        QuadraticReward(hessian=np.eye(1), gradient=np.array([np.inf]))
