"""The exact layer of steering: linear control of Gaussian references, where everything has a closed form (numpy only).

Policy iteration as published, its limits and its cures, against a Riccati solution and the exact tilted law. It is the
oracle for steering with networks, and the place to see why that is built as it is.
"""

from tsgen.steering.linear_quadratic.chain_law import law_of_chain, path_divergence, states_of_chain
from tsgen.steering.linear_quadratic.convergence_theory import (
    balanced_step,
    linear_rate,
    measured_rate,
    predicted_to_converge,
    reference_ratio,
    step_errors,
)
from tsgen.steering.linear_quadratic.errors import IllPosedTiltError, PolicyIterationError
from tsgen.steering.linear_quadratic.gaussian_tilt import (
    Gaussian,
    TiltedGaussian,
    gaussian_divergence,
    tilted_gaussian,
)
from tsgen.steering.linear_quadratic.linear_chain import LinearChain, LinearControl
from tsgen.steering.linear_quadratic.optimality_gap import OptimalityGap, optimality_gap
from tsgen.steering.linear_quadratic.policy_evaluation import QuadraticValue, evaluate_policy
from tsgen.steering.linear_quadratic.policy_iteration import (
    PolicyIterate,
    PolicyIteration,
    iterate_policy,
    policy_iterates,
)
from tsgen.steering.linear_quadratic.policy_update import ExplicitUpdate, ImplicitUpdate
from tsgen.steering.linear_quadratic.quadratic_reward import QuadraticReward
from tsgen.steering.linear_quadratic.reference_chain import (
    Conditional,
    angle_chain,
    conditionals,
    denoising_chain,
    geometric_alpha_bars,
    process_conditionals,
    uniform_angles,
)
from tsgen.steering.linear_quadratic.riccati import SteeredOptimum, optimal_control
from tsgen.steering.linear_quadratic.steering_problem import SteeringProblem
from tsgen.steering.linear_quadratic.temperature_continuation import continue_in_temperature, falling_temperatures

__all__ = [
    "Conditional",
    "ExplicitUpdate",
    "Gaussian",
    "IllPosedTiltError",
    "ImplicitUpdate",
    "LinearChain",
    "LinearControl",
    "OptimalityGap",
    "PolicyIterate",
    "PolicyIteration",
    "PolicyIterationError",
    "QuadraticReward",
    "QuadraticValue",
    "SteeredOptimum",
    "SteeringProblem",
    "TiltedGaussian",
    "angle_chain",
    "balanced_step",
    "conditionals",
    "continue_in_temperature",
    "denoising_chain",
    "evaluate_policy",
    "falling_temperatures",
    "gaussian_divergence",
    "geometric_alpha_bars",
    "iterate_policy",
    "law_of_chain",
    "linear_rate",
    "measured_rate",
    "optimal_control",
    "optimality_gap",
    "path_divergence",
    "policy_iterates",
    "predicted_to_converge",
    "process_conditionals",
    "reference_ratio",
    "states_of_chain",
    "step_errors",
    "tilted_gaussian",
    "uniform_angles",
]
