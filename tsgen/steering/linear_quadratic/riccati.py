r"""The optimal linear control by backward recursion: the truth that policy iteration is held against.

.. math:: P_s = A' (P + P B (\beta I - B'PB)^{-1} B'P) A, \qquad P = P_{s+1}, \quad P_{end} = Q.

:math:`P_s / \beta` is also the Hessian of :math:`\log E[e^{r/\beta} | z_s]` under the reference: steering means only
has the same optimal means as the exact transform, whose kernel covariance is :math:`B (I - B'PB/\beta)^{-1} B'`.
"""

from typing import NamedTuple

import numpy as np

from tsgen.steering.linear_quadratic.errors import IllPosedTiltError
from tsgen.steering.linear_quadratic.linear_chain import LinearControl
from tsgen.steering.linear_quadratic.policy_evaluation import QuadraticValue, evaluate_policy
from tsgen.steering.linear_quadratic.policy_update import with_optimal_covariance
from tsgen.steering.linear_quadratic.steering_problem import SteeringProblem


class SteeredOptimum(NamedTuple):
    """The optimal control and its value."""

    control: LinearControl
    value: QuadraticValue


def optimal_control(problem: SteeringProblem, *, correct_covariance: bool = False) -> SteeredOptimum:
    """Solve the Riccati recursion.

    Parameters
    ----------
    problem : SteeringProblem
    correct_covariance : bool, default False
        Whether the covariance of the kernel may be steered beside its mean; then the optimum is the exact transform.

    Raises
    ------
    IllPosedTiltError
        If rounding leaves no positive definite system: the temperature is at the edge of what exists.

    Examples
    --------
    >>> from tsgen.steering.linear_quadratic import QuadraticReward, angle_chain, conditionals, uniform_angles
    >>> chain = angle_chain(conditionals([0.0], [[1.0]]), uniform_angles(10))
    >>> problem = SteeringProblem(chain=chain, reward=QuadraticReward.linear([1.0]), temperature=1.0)
    >>> round(float(optimal_control(problem).value.constant[0]), 12)
    0.5
    """
    chain, beta = problem.chain, problem.temperature
    reference = LinearControl.none(chain)
    gain, offset = reference.gain.copy(), reference.offset.copy()
    hessian, slope = problem.reward.hessian, problem.reward.gradient
    eye = np.eye(chain.n_shocks)
    for s in range(chain.n_steps - 1, -1, -1):
        transition, noise = chain.transition[s], chain.noise[s]
        if chain.controlled[s]:
            system = beta * eye - noise.T @ hessian @ noise
            if float(np.linalg.eigvalsh(system)[0]) <= 0:
                raise IllPosedTiltError(
                    f"no optimal control at step {s}: temperature {beta:.6g} is at the edge of what exists, "
                    f"{problem.smallest_temperature:.6g}. Raise it.",
                    smallest_temperature=problem.smallest_temperature,
                )
            gain[s] = np.linalg.solve(system, noise.T @ hessian @ transition)
            offset[s] = np.linalg.solve(system, noise.T @ (hessian @ chain.offset[s] + slope))
        # with the optimal control P Abar = P (A + BF), and the cost of F cancels one half
        slope = transition.T @ (hessian @ (chain.offset[s] + noise @ offset[s]) + slope)
        hessian = transition.T @ hessian @ (transition + noise @ gain[s])
        hessian = (hessian + hessian.T) / 2
    control = LinearControl(gain=gain, offset=offset, covariance=reference.covariance)
    value = evaluate_policy(problem, control)
    if not correct_covariance:
        return SteeredOptimum(control, value)
    corrected = with_optimal_covariance(problem, control, value)
    if corrected is None:
        raise IllPosedTiltError(
            f"no optimal covariance: temperature {beta:.6g} is at the edge of what exists, "
            f"{problem.smallest_temperature:.6g}. Raise it.",
            smallest_temperature=problem.smallest_temperature,
        )
    return SteeredOptimum(corrected, evaluate_policy(problem, corrected))
