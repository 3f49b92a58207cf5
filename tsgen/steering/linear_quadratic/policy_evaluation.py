r"""Policy evaluation: the value of going on under a given control, quadratic in the state.

:math:`V_s(z) = E[V_{s+1}(z_{s+1})] - \beta KL_s(z)`, backwards from the reward. With :math:`\bar A = A + BF`,
:math:`\bar b = b + Bg`:

.. math:: P_s = \bar A' P_{s+1} \bar A - \beta F'F, \qquad
          q_s = \bar A' (P_{s+1} \bar b + q_{s+1}) - \beta F' g.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.steering.linear_quadratic.linear_chain import LinearControl
from tsgen.steering.linear_quadratic.steering_problem import SteeringProblem

Floats = NDArray[np.float64]


class QuadraticValue(NamedTuple):
    """``V_s(z) = z'P_s z / 2 + q_s'z + k_s`` for s from 0 to the number of steps.

    ``hessian`` has shape (step + 1, state, state), ``gradient`` (step + 1, state), ``constant`` (step + 1,).
    """

    hessian: Floats
    gradient: Floats
    constant: Floats


def evaluate_policy(problem: SteeringProblem, control: LinearControl) -> QuadraticValue:
    """The value of a control: reward still to come, less temperature times relative entropy still to be paid.

    Parameters
    ----------
    problem : SteeringProblem
    control : LinearControl

    Returns
    -------
    QuadraticValue
        ``constant[0]`` is the objective, since the chain starts at zero.

    Examples
    --------
    >>> from tsgen.steering.linear_quadratic import QuadraticReward, angle_chain, conditionals, uniform_angles
    >>> chain = angle_chain(conditionals([0.0], [[1.0]]), uniform_angles(10))
    >>> problem = SteeringProblem(chain=chain, reward=QuadraticReward.near(0.0, direction=[1.0]), temperature=1.0)
    >>> round(float(evaluate_policy(problem, LinearControl.none(chain)).constant[0]), 12)
    -0.5
    """
    chain, reward, beta = problem.chain, problem.reward, problem.temperature
    closed = chain.transition + chain.noise @ control.gain
    drift = chain.offset + np.einsum("sij,sj->si", chain.noise, control.offset)
    spread = chain.noise @ control.covariance @ chain.noise.transpose(0, 2, 1)
    values = np.linalg.eigvalsh(control.covariance)
    spread_cost = 0.5 * (values - 1.0 - np.log(values)).sum(axis=1)
    size = chain.n_states
    hessian = np.empty((chain.n_steps + 1, size, size))
    gradient, constant = np.empty((chain.n_steps + 1, size)), np.empty(chain.n_steps + 1)
    hessian[-1], gradient[-1], constant[-1] = reward.hessian, reward.gradient, reward.constant
    for s in range(chain.n_steps - 1, -1, -1):
        after, slope, gain, push = hessian[s + 1], gradient[s + 1], control.gain[s], control.offset[s]
        here = closed[s].T @ after @ closed[s] - beta * gain.T @ gain
        hessian[s] = (here + here.T) / 2
        gradient[s] = closed[s].T @ (after @ drift[s] + slope) - beta * gain.T @ push
        gained = 0.5 * drift[s] @ after @ drift[s] + slope @ drift[s] + 0.5 * np.sum(after * spread[s])
        constant[s] = constant[s + 1] + gained - beta * (0.5 * push @ push + spread_cost[s])
    return QuadraticValue(hessian, gradient, constant)


def noise_curvature(problem: SteeringProblem, value: QuadraticValue) -> Floats:
    """Hessian of the next value in units of the noise, ``B'P_{s+1}B``; zero where a step is not controlled.

    Shape (step, shock, shock).
    """
    noise = problem.chain.noise
    curvature = noise.transpose(0, 2, 1) @ value.hessian[1:] @ noise
    return curvature * problem.chain.controlled[:, None, None]
