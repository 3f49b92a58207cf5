r"""How far a controlled chain is from the optimum, in relative entropy: exact, at the end and over trajectories.

Over trajectories :math:`KL(q^u | q^*) = KL(q^u | p) - E_u[r]/\beta + \log Z \ge 0`; the law of the finished path
alone can only be closer.
"""

from typing import NamedTuple

from tsgen.steering.linear_quadratic.chain_law import law_of_chain, mean_reward, path_divergence
from tsgen.steering.linear_quadratic.gaussian_tilt import gaussian_divergence
from tsgen.steering.linear_quadratic.linear_chain import LinearControl
from tsgen.steering.linear_quadratic.steering_problem import SteeringProblem


class OptimalityGap(NamedTuple):
    """Relative entropies in nats.

    ``divergence`` of the controlled trajectories to the reference's; ``path_gap`` to the tilted trajectories;
    ``end_gap`` of the law of the finished path to the tilted one.
    """

    divergence: float
    path_gap: float
    end_gap: float


def optimality_gap(problem: SteeringProblem, control: LinearControl) -> OptimalityGap:
    """Hold a control against the exact exponential tilt.

    Examples
    --------
    >>> from tsgen.steering.linear_quadratic import (
    ...     QuadraticReward, angle_chain, conditionals, optimal_control, uniform_angles)
    >>> chain = angle_chain(conditionals([0.0], [[1.0]]), uniform_angles(10))
    >>> problem = SteeringProblem(chain=chain, reward=QuadraticReward.linear([1.0]), temperature=1.0)
    >>> gap = optimality_gap(problem, optimal_control(problem).control)
    >>> round(gap.divergence, 12), gap.end_gap < 1e-14
    (0.5, True)
    """
    tilt = problem.tilt()
    law = law_of_chain(problem.chain, control)
    spent = path_divergence(problem.chain, control)
    reward = problem.reward
    gained = mean_reward(law, reward.hessian, reward.gradient, reward.constant) / problem.temperature
    return OptimalityGap(spent, spent - gained + tilt.log_partition, gaussian_divergence(law, tilt.law))
