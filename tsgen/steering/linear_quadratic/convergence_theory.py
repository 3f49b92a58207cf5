r"""How fast explicit policy iteration converges, and when it does not.

**Local rate.** At the optimum the value does not change to first order with the policy, so the Jacobian of the explicit
update is block diagonal over steps with blocks :math:`B'P^*_{s+1}B/\beta`. With step size :math:`\eta` the asymptotic
linear rate is :math:`\max_s \max_\mu |1 - \eta (1 - \mu)|` over the eigenvalues :math:`\mu` of these blocks.

**Globally.** The update of a step needs only later steps: the last one is a linear iteration, exactly, with its block
above; then the one before follows its own, up to what has settled already. Hence in exact arithmetic the iteration
converges *from every linear control* if that rate is below one. (For concave rewards and :math:`\eta = 1` this is
:math:`\beta` above the norm of :math:`B'P^*B`: a temperature high enough.)

**In practice** the steps that have not settled yet are amplified by those that have not either. From the reference this
stays harmless if :math:`\eta (1 + r_0/\beta) < 2` with :math:`r_0 = \max_s |B'P^0_{s+1}B|` of the *reference's* value
(concave rewards; a rule found by experiment, not proved), and overflows well above.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import DataError
from tsgen.steering.linear_quadratic.linear_chain import LinearControl
from tsgen.steering.linear_quadratic.policy_evaluation import evaluate_policy, noise_curvature
from tsgen.steering.linear_quadratic.riccati import optimal_control
from tsgen.steering.linear_quadratic.steering_problem import SteeringProblem

Floats = NDArray[np.float64]


def linear_rate(problem: SteeringProblem, step_size: float = 1.0) -> float:
    """Asymptotic factor by which the error of explicit policy iteration shrinks per iteration; above 1 it grows.

    Examples
    --------
    >>> from tsgen.steering.linear_quadratic import QuadraticReward, angle_chain, conditionals, uniform_angles
    >>> chain = angle_chain(conditionals([0.0], [[1.0]]), uniform_angles(10))
    >>> linear_rate(SteeringProblem(chain=chain, reward=QuadraticReward.linear([1.0]), temperature=1.0))
    0.0
    """
    value = optimal_control(problem).value
    blocks = np.linalg.eigvalsh(noise_curvature(problem, value)[problem.chain.controlled]) / problem.temperature
    return float(np.abs(1.0 - step_size * (1.0 - blocks)).max())


def reference_ratio(problem: SteeringProblem) -> float:
    """Largest curvature of the reference's value in units of the noise, relative to the temperature."""
    value = evaluate_policy(problem, LinearControl.none(problem.chain))
    return float(np.abs(np.linalg.eigvalsh(noise_curvature(problem, value))).max()) / problem.temperature


def predicted_to_converge(problem: SteeringProblem, step_size: float = 1.0) -> bool:
    """Whether explicit steps from the reference stay harmless: both rules of this module.

    Sufficient for concave rewards as far as it has been tried; iterations a little beyond it may still converge.
    """
    return step_size * (1.0 + reference_ratio(problem)) < 2.0 and linear_rate(problem, step_size) < 1.0


def balanced_step(problem: SteeringProblem) -> float:
    """Step size that makes the slowest and the most overshooting direction from the reference converge alike.

    Minimises ``max(|1 - eta|, |1 - eta (1 + ratio)|)``; for concave rewards.
    """
    return 2.0 / (2.0 + reference_ratio(problem))


def step_errors(control: LinearControl, optimum: LinearControl) -> Floats:
    """Distance of two controls step by step, shape (step,): the root sum of squares of gains and offsets.

    Examples
    --------
    >>> one = LinearControl(gain=np.full((2, 1, 1), 3.0), offset=np.full((2, 1), 4.0), covariance=np.ones((2, 1, 1)))
    >>> nothing = LinearControl(gain=np.zeros((2, 1, 1)), offset=np.zeros((2, 1)), covariance=np.ones((2, 1, 1)))
    >>> step_errors(one, nothing).tolist()
    [5.0, 5.0]
    """
    gains = np.square(control.gain - optimum.gain).sum(axis=(1, 2))
    return np.sqrt(gains + np.square(control.offset - optimum.offset).sum(axis=1))


def measured_rate(errors: ArrayLike, *, floor: float = 1e-12) -> float:
    """Factor by which the error of the slowest step has shrunk in the last iteration above rounding.

    Steps converge on their own, each at its rate: the sum of all errors would show the rate of the slowest only after
    the others have gone, which in fast iterations is below rounding.

    Parameters
    ----------
    errors : array of shape (iteration, step), float64
        `step_errors` at the start and after each iteration.
    floor : float
        Relative to the first error; smaller errors are not used.

    Raises
    ------
    DataError
        If no step has two errors above the floor.

    Examples
    --------
    >>> round(measured_rate([[0.5**k, 0.25**k] for k in range(60)]), 12)
    0.5
    """
    table = np.asarray(errors, dtype=np.float64)
    above = table > floor * table[0].max()
    usable = np.flatnonzero((above[:-1] & above[1:]).any(axis=1))
    if not len(usable):
        raise DataError(
            f"a rate needs two errors of one step above the floor: got {len(table)} iterations, of which "
            f"{int(above.any(axis=1).sum())} are above it. Start further from the optimum."
        )
    last = usable[-1]
    steps = above[last] & above[last + 1]
    return float((table[last + 1, steps] / table[last, steps]).max())
