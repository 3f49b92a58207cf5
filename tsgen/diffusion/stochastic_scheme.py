r"""Stochastic scheme: two-step Adams-Bashforth for the reverse stochastic equation (SDE-AB2).

Reverse of the Ornstein-Uhlenbeck noising, with ``s = sin tau``, ``c = cos tau``, primes for the next (smaller)
angle, ``rho = c / c'``, ``H = F / sqrt(s)`` and ``y = (4/3) s^{3/2}``:

    u' = rho u - (1/c') [ D H_k + D^2 / (2 E) (H_k - H_{k-1}) ] + sqrt(1 - rho^2) W,
    D = y_k - y_{k+1},   E = y_{k-1} - y_k.

Given the state and the stored velocity every transition is Gaussian with the known covariance
``(1 - rho^2) I``, the last included, so path likelihood ratios exist; the chain starts at pi/2 with the
transition ``u_1 = W_0`` and carries nothing over from its start. The martingale part of the extrapolation
supplies the within-step reaction of the drift that a one-step kernel lacks: no Jacobian is needed.
The last transition scales its noise by ``sqrt(g)``, ``g = E|v - F|^2 / d`` at the last level (1 if ``F = 0``).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tsgen.diffusion.angle_grid import Angles, check_angles
from tsgen.diffusion.deterministic_scheme import Velocity
from tsgen.errors import ConfigError

_SMALLEST_LAST_SHARE = 0.05


class StochasticPlan(NamedTuple):
    """Host-side coefficients of one reverse pass, computed once in float64."""

    angles: Angles
    """Angles at which the velocity is evaluated, decreasing; starts with pi/2 if ``evaluate_start``."""
    carry: NDArray[np.float64]
    """(step,): factor ``rho`` of the state."""
    newest: NDArray[np.float64]
    """(step,): factor of the newest velocity."""
    previous: NDArray[np.float64]
    """(step,): factor of the stored previous velocity."""
    noise: NDArray[np.float64]
    """(step,): standard deviation of the noise; the last one includes ``sqrt(g)``."""
    n_noises: int
    """Noise draws that one pass consumes."""
    starts_at_noise: bool
    """Whether the first draw becomes the state without an evaluation."""


def one_minus_rho_squared(tau: NDArray[np.float64], following: NDArray[np.float64]) -> NDArray[np.float64]:
    """``1 - (cos tau / cos tau')^2`` without cancellation: ``sin(tau - tau') sin(tau + tau') / cos^2 tau'``."""
    return np.sin(tau - following) * np.sin(tau + following) / np.cos(following) ** 2


def stochastic_plan(angles: Angles, *, last_share: float = 1.0, evaluate_start: bool = False) -> StochasticPlan:
    """Coefficients of SDE-AB2 on the given levels.

    Parameters
    ----------
    angles : ndarray of shape (K,), float64
        Decreasing levels strictly between pi/2 and 0.
    last_share : float
        ``g``: mean squared residual of the velocity per coordinate at the last level, in (0, 1.5]. Values below
        0.05 are raised to 0.05.
    evaluate_start : bool
        Evaluate the velocity at pi/2 as well, so that the first transition carries the conditional mean.

    Raises
    ------
    ConfigError
        If levels or ``last_share`` are outside their range.
    """
    levels = check_angles(angles)
    if not 0.0 < last_share <= 1.5:
        raise ConfigError(f"last_share must be in (0, 1.5]: got {last_share!r}. It is 1 for a whitened Gaussian law.")
    known = np.concatenate([[np.pi / 2], levels])
    following = np.append(levels, 0.0)
    sine, cosine_next = np.sin(known), np.cos(following)
    y = np.append(4.0 / 3.0 * sine**1.5, 0.0)
    step = y[:-1] - y[1:]
    back = np.append(np.inf, step[:-1])  # no velocity before pi/2: the first step has no slope
    slope = step**2 / (2.0 * back)
    newest = -(step + slope) / cosine_next / np.sqrt(sine)
    previous = slope / cosine_next / np.sqrt(np.append(1.0, sine[:-1]))
    carry = np.cos(known) / cosine_next
    carry[0] = 0.0  # pi/2 is symbolic: in floating point its cosine is not zero
    noise = np.sqrt(one_minus_rho_squared(known, following))
    # last step: u_0 = c u - s F + s sqrt(g) W, with no velocity left to extrapolate to
    newest[-1], previous[-1] = -sine[-1], 0.0
    noise[-1] = sine[-1] * np.sqrt(max(last_share, _SMALLEST_LAST_SHARE))
    if evaluate_start:
        return StochasticPlan(known, carry, newest, previous, noise, len(known), starts_at_noise=False)
    return StochasticPlan(levels, carry[1:], newest[1:], previous[1:], noise[1:], len(known), starts_at_noise=True)


def stochastic_pass(velocity: Velocity, noises: Sequence[Tensor] | Tensor, plan: StochasticPlan) -> Tensor:
    """Run the reverse chain once.

    Parameters
    ----------
    velocity : callable ``(u, k) -> F``
        Velocity at ``plan.angles[k]``.
    noises : Tensor of shape (n_noises, batch, asset), or a sequence of such
        Independent standard normals, one per transition.
    plan : StochasticPlan
        From `stochastic_plan`.

    Returns
    -------
    Tensor of shape (batch, asset)
        Clean sample.
    """
    draws = iter(noises)
    u = next(draws)
    if not plan.starts_at_noise:
        # at pi/2 the state is pure noise that the first transition forgets (carry = 0): use zeros for it
        u, first = u * 0.0, u
        draws = iter([first, *draws])
    stored = u * 0.0
    columns = (plan.carry.tolist(), plan.newest.tolist(), plan.previous.tolist(), plan.noise.tolist())
    for k, (carry, newest, previous, noise) in enumerate(zip(*columns, strict=True)):
        current = velocity(u, k)
        u = carry * u + newest * current + previous * stored + noise * next(draws)
        stored = current
    return u
