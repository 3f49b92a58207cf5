r"""Gaussian laws: the exact exponential tilt by a quadratic reward, and relative entropy between two of them.

With :math:`S = LL'` and :math:`H = I - L'QL/\beta`, the law proportional to :math:`e^{r/\beta}` times :math:`N(m, S)`
is :math:`N(m + L H^{-1} L'(Qm + c)/\beta,\; L H^{-1} L')`; it exists if and only if :math:`H` is positive definite.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError
from tsgen.marketdata.known_processes.covariance_matrix import checked_cholesky
from tsgen.steering.linear_quadratic.errors import IllPosedTiltError
from tsgen.steering.linear_quadratic.quadratic_reward import QuadraticReward

Floats = NDArray[np.float64]


class Gaussian(NamedTuple):
    """Mean of shape (n,) and covariance of shape (n, n), float64."""

    mean: Floats
    covariance: Floats


class TiltedGaussian(NamedTuple):
    """The tilted law and ``log E[exp(r / temperature)]`` under the law before."""

    law: Gaussian
    log_partition: float


def tilted_gaussian(law: Gaussian, reward: QuadraticReward, temperature: float) -> TiltedGaussian:
    """The law proportional to ``exp(reward / temperature)`` times a Gaussian.

    Parameters
    ----------
    law : Gaussian
        Positive definite covariance.
    reward : QuadraticReward
    temperature : float
        Above zero.

    Raises
    ------
    IllPosedTiltError
        If the reward is so convex, or the temperature so low, that the exponential moment is infinite.
    ConfigError
        If the temperature is not a finite number above zero.

    Examples
    --------
    >>> tilt = tilted_gaussian(Gaussian(np.zeros(1), np.eye(1)), QuadraticReward.linear([1.0]), 0.5)
    >>> tilt.law.mean.tolist(), tilt.log_partition
    ([2.0], 2.0)
    """
    if not np.isfinite(temperature) or temperature <= 0:
        raise ConfigError(f"temperature must be a finite number above zero: got {temperature!r}.")
    factor = checked_cholesky(law.covariance, name="covariance")
    curvature = factor.T @ reward.hessian @ factor / temperature
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    if values[-1] >= 1.0:
        raise ill_posed(temperature * float(values[-1]), temperature)
    remaining = 1.0 - values
    push = vectors.T @ factor.T @ (reward.hessian @ law.mean + reward.gradient) / temperature
    root = factor @ vectors
    log_partition = reward.value(law.mean) / temperature
    log_partition += 0.5 * float(push @ (push / remaining)) - 0.5 * float(np.log(remaining).sum())
    return TiltedGaussian(Gaussian(law.mean + root @ (push / remaining), (root / remaining) @ root.T), log_partition)


def ill_posed(smallest_temperature: float, temperature: float) -> IllPosedTiltError:
    """The error for a temperature at or below the smallest one at which the tilt exists."""
    return IllPosedTiltError(
        f"the tilt by exp(reward / temperature) does not exist at temperature {temperature:.6g}: the reward is convex "
        f"in a direction in which it outweighs the Gaussian tails, so its exponential moment is infinite. Use a "
        f"temperature above {smallest_temperature:.6g}, or a bounded or concave reward.",
        smallest_temperature=smallest_temperature,
    )


def gaussian_divergence(first: Gaussian, second: Gaussian) -> float:
    """Relative entropy ``KL(first | second)``, nats; exact to rounding also where it is tiny.

    Examples
    --------
    >>> gaussian_divergence(Gaussian(np.ones(1), np.eye(1)), Gaussian(np.zeros(1), np.eye(1)))
    0.5
    """
    factor = checked_cholesky(second.covariance, name="covariance")
    shift = np.linalg.solve(factor, first.mean - second.mean)
    # excess eigenvalues, not eigenvalues: log1p keeps the digits of a small difference
    change = np.linalg.solve(factor, np.linalg.solve(factor, first.covariance - second.covariance).T)
    excess = np.linalg.eigvalsh((change + change.T) / 2)
    return 0.5 * (float((excess - np.log1p(excess)).sum()) + float(shift @ shift))
