"""The law of a controlled chain in closed form, and what the control costs in relative entropy."""

import numpy as np
from numpy.typing import NDArray

from tsgen.steering.linear_quadratic.gaussian_tilt import Gaussian
from tsgen.steering.linear_quadratic.linear_chain import LinearChain, LinearControl

Floats = NDArray[np.float64]


def states_of_chain(chain: LinearChain, control: LinearControl | None = None) -> list[Gaussian]:
    """Laws of all states, from the start (zero) to the end; without a control those of the reference.

    Examples
    --------
    >>> one = np.ones((2, 1, 1))
    >>> walk = LinearChain(transition=one, offset=np.zeros((2, 1)), noise=one, controlled=np.array([True, True]))
    >>> [float(law.covariance[0, 0]) for law in states_of_chain(walk)]
    [0.0, 1.0, 2.0]
    """
    policy = LinearControl.none(chain) if control is None else control
    closed = chain.transition + chain.noise @ policy.gain
    drift = chain.offset + (chain.noise @ policy.offset[:, :, None])[:, :, 0]
    added = chain.noise @ policy.covariance @ chain.noise.transpose(0, 2, 1)
    mean, covariance = np.zeros(chain.n_states), np.zeros((chain.n_states, chain.n_states))
    laws = [Gaussian(mean, covariance)]
    for step in range(chain.n_steps):
        mean = closed[step] @ mean + drift[step]
        covariance = closed[step] @ covariance @ closed[step].T + added[step]
        covariance = (covariance + covariance.T) / 2
        laws.append(Gaussian(mean, covariance))
    return laws


def law_of_chain(chain: LinearChain, control: LinearControl | None = None) -> Gaussian:
    """Law of the finished path, shape (state,) and (state, state)."""
    return states_of_chain(chain, control)[-1]


def randomness_of_control(chain: LinearChain) -> Floats:
    """A square root of the covariance of the end, counting only the noise of steps that may be controlled."""
    covariance = np.zeros((chain.n_states, chain.n_states))
    for step in range(chain.n_steps):
        transition, noise = chain.transition[step], chain.noise[step] * chain.controlled[step]
        covariance = transition @ covariance @ transition.T + noise @ noise.T
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def path_divergence(chain: LinearChain, control: LinearControl) -> float:
    r"""Relative entropy of the controlled chain to the reference, over whole trajectories, nats.

    :math:`\sum_s E (|v_s|^2 + tr\,C_s - m - \log\det C_s) / 2`, where m is the number of shocks.

    Examples
    --------
    >>> one = np.ones((1, 1, 1))
    >>> chain = LinearChain(transition=0 * one, offset=np.zeros((1, 1)), noise=one, controlled=np.array([True]))
    >>> path_divergence(chain, LinearControl(gain=0 * one, offset=np.full((1, 1), 2.0), covariance=one))
    2.0
    """
    total = 0.0
    for step, law in enumerate(states_of_chain(chain, control)[:-1]):
        gain = control.gain[step]
        shift = gain @ law.mean + control.offset[step]
        spread = float(np.trace(gain @ law.covariance @ gain.T))
        excess = np.linalg.eigvalsh(control.covariance[step]) - 1.0
        total += 0.5 * (float(shift @ shift) + spread + float((excess - np.log1p(excess)).sum()))
    return total


def mean_reward(law: Gaussian, hessian: Floats, gradient: Floats, constant: float) -> float:
    """Expectation of a quadratic function under a Gaussian law."""
    at_mean = 0.5 * law.mean @ hessian @ law.mean + gradient @ law.mean + constant
    return float(at_mean + 0.5 * np.sum(hessian * law.covariance))
