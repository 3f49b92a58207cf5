r"""Policy improvement: from the value of a control to a better control.

First-order condition of the step's objective, :math:`\beta v = B' E\nabla V(Az + b + B(v + W))`:

- **explicit** (the published iteration): the expectation is taken under the *old* control,
  :math:`v^{new} = \beta^{-1} B'(P(Az + b + B v^{old}) + q)`: a Picard iteration;
- **damped**: only a fraction of the explicit step;
- **implicit**: the condition is solved for v, :math:`v^{new} = (\beta I - B'PB)^{-1} B'(P(Az + b) + q)`: Newton's
  method on the Riccati equation (Kleinman).

The optimal kernel also has another covariance, :math:`C = (I - B'PB/\beta)^{-1}` in units of the noise; steering means
only leaves a gap that vanishes with the step size.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError
from tsgen.steering.linear_quadratic.linear_chain import LinearControl
from tsgen.steering.linear_quadratic.policy_evaluation import QuadraticValue, noise_curvature
from tsgen.steering.linear_quadratic.steering_problem import SteeringProblem

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class ExplicitUpdate:
    """The published update, or a fraction of it.

    Parameters
    ----------
    step_size : float, default 1.0
        In (0, 1]; below 1 the step is damped.

    Raises
    ------
    ConfigError
        If the step size is not in (0, 1].

    References
    ----------
    Han, Razaviyayn and Xu (2024), arXiv 2412.18164, the PI-FT iteration.

    Examples
    --------
    >>> ExplicitUpdate(step_size=0.5)
    ExplicitUpdate(step_size=0.5)
    """

    step_size: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.step_size <= 1.0:
            raise ConfigError(f"step_size must be in (0, 1]: got {self.step_size!r}. 1 is the full explicit step.")

    def improve(self, problem: SteeringProblem, control: LinearControl, value: QuadraticValue) -> LinearControl:
        """The next control; its covariance is left as it is."""
        chain, beta = problem.chain, problem.temperature
        closed = chain.transition + chain.noise @ control.gain
        drift = chain.offset + np.einsum("sij,sj->si", chain.noise, control.offset)
        pull = chain.noise.transpose(0, 2, 1) * (chain.controlled[:, None, None] / beta)
        gain = pull @ value.hessian[1:] @ closed
        slope = np.einsum("sij,sj->si", value.hessian[1:], drift) + value.gradient[1:]
        offset = np.einsum("sij,sj->si", pull, slope)
        eta = self.step_size
        return LinearControl(
            gain=(1.0 - eta) * control.gain + eta * gain,
            offset=(1.0 - eta) * control.offset + eta * offset,
            covariance=control.covariance,
        )


@final
@dataclass(frozen=True, kw_only=True)
class ImplicitUpdate:
    """The first-order condition solved for the new control: Newton's method, at most as many iterations as steps.

    References
    ----------
    Kleinman (1968), "On an iterative technique for Riccati equation computations".

    Examples
    --------
    >>> ImplicitUpdate()
    ImplicitUpdate()
    """

    def improve(self, problem: SteeringProblem, control: LinearControl, value: QuadraticValue) -> LinearControl:
        """The next control; its covariance is left as it is."""
        chain = problem.chain
        eye = np.eye(chain.n_shocks)
        system = problem.temperature * eye - noise_curvature(problem, value)
        pull = chain.noise.transpose(0, 2, 1) * chain.controlled[:, None, None]
        slope = np.einsum("sij,sj->si", value.hessian[1:], chain.offset) + value.gradient[1:]
        target = np.concatenate([pull @ value.hessian[1:] @ chain.transition, pull @ slope[:, :, None]], axis=2)
        solved = np.asarray(np.linalg.solve(system, target), dtype=np.float64)
        return LinearControl(gain=solved[:, :, :-1], offset=solved[:, :, -1], covariance=control.covariance)


PolicyUpdate = ExplicitUpdate | ImplicitUpdate


def with_optimal_covariance(
    problem: SteeringProblem, control: LinearControl, value: QuadraticValue
) -> LinearControl | None:
    """The same means with the best kernel covariance for a value; ``None`` if that is too convex to have one."""
    eye = np.eye(problem.chain.n_shocks)
    precision = eye - noise_curvature(problem, value) / problem.temperature
    if not np.isfinite(precision).all() or float(np.linalg.eigvalsh(precision).min()) <= 0:
        return None
    covariance = np.linalg.inv(precision)
    covariance = (covariance + covariance.transpose(0, 2, 1)) / 2
    return LinearControl(gain=control.gain, offset=control.offset, covariance=covariance)
