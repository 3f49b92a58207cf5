"""Steering problems with closed forms: random Gaussian references, rewards and Gaussian paths."""

import numpy as np

from tsgen.marketdata.known_processes import Arma, VarProcess
from tsgen.steering.linear_quadratic import (
    LinearControl,
    PolicyIterationError,
    QuadraticReward,
    SteeringProblem,
    angle_chain,
    conditionals,
    denoising_chain,
    geometric_alpha_bars,
    measured_rate,
    optimal_control,
    policy_iterates,
    process_conditionals,
    reference_ratio,
    step_errors,
    uniform_angles,
)


def chain_of(laws, *, n_steps, kind="angle"):
    if kind == "angle":
        return angle_chain(laws, uniform_angles(n_steps))
    return denoising_chain(laws, geometric_alpha_bars(n_steps), control_start=kind == "denoising from the start")


def static_chain(d, *, n_steps=30, seed=0, kind="angle"):
    rng = np.random.default_rng([seed, d])
    a = rng.standard_normal((d, d))
    laws = conditionals(rng.standard_normal(d), a @ a.T / d + 0.3 * np.eye(d), n_assets=d)
    return chain_of(laws, n_steps=n_steps, kind=kind)


def random_reward(d, *, seed=0, sign=-1.0):
    """Quadratic; concave for sign -1, convex for +1, linear for 0."""
    rng = np.random.default_rng([seed, d, 7])
    a = rng.standard_normal((d, d))
    return QuadraticReward(hessian=sign * a @ a.T / d, gradient=rng.standard_normal(d))


def path_problem(process, *, periods=10, n_steps=20, temperature=1.0, ratio=0.133, kind="angle"):
    """Sum of all returns near -10, weighted so that the curvature of the reference's value in noise units is ratio."""
    chain = chain_of(process_conditionals(process, periods), n_steps=n_steps, kind=kind)
    direction = np.ones(chain.n_states)
    unit = SteeringProblem(chain=chain, reward=QuadraticReward.near(-10.0, direction=direction), temperature=1.0)
    reward = QuadraticReward.near(-10.0, direction=direction, weight=ratio / reference_ratio(unit))
    return SteeringProblem(chain=chain, reward=reward, temperature=temperature)


def autoregression(phi=0.5):
    return Arma((phi,), (), start="stationary")


def vector_autoregression(n_assets=2, seed=1):
    return VarProcess.random_first_order(n_assets, spectral_radius=0.6, rng=np.random.default_rng(seed))


def random_control(chain, *, size, seed=0):
    rng = np.random.default_rng(seed)
    none = LinearControl.none(chain)
    gain, offset = size * rng.standard_normal(none.gain.shape), size * rng.standard_normal(none.offset.shape)
    return LinearControl(gain=gain, offset=offset, covariance=none.covariance)


def distances(problem, update, *, n, start=None):
    """Distance to the optimal control at the start and after each of at most n iterations; inf once it ran away."""
    optimum = optimal_control(problem).control
    found = [(LinearControl.none(problem.chain) if start is None else start).distance(optimum)]
    try:
        for _, iterate in zip(range(n), policy_iterates(problem, update, start=start), strict=False):
            found.append(iterate.control.distance(optimum))
    except PolicyIterationError:
        found.append(np.inf)
    return found


def rate_seen(problem, update, *, n):
    """Measured rate of policy iteration from the reference."""
    optimum = optimal_control(problem).control
    iterates = (i.control for _, i in zip(range(n), policy_iterates(problem, update), strict=False))
    return measured_rate([step_errors(c, optimum) for c in (LinearControl.none(problem.chain), *iterates)])


def iterations_to(errors, accuracy):
    return next((i for i, error in enumerate(errors) if error < accuracy), None)
