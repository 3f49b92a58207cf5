r"""Reference chains of Gaussian laws: one asset or many, one period (static) or a path generated period by period.

The law of period :math:`t` given the past is :math:`N(m_t(x_{<t}), S_t)`, its score is exact, and the chain is one of

- `angle_chain`: the stochastic transition of the sampler in angle coordinates. It starts at :math:`\tau = \pi/2`, where
  nothing of the start survives, so the optimal law is the exponential tilt without reservation;
- `denoising_chain`: the published one, :math:`Y' = \alpha^{-1/2} (Y + (1 - \alpha) s(Y)) + \sqrt{1 - \alpha}\, W` from
  :math:`Y \sim N(0, I)`, which is not controlled.

The *reference law* is the law of the chain, not the one that it approximates.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ConfigError, ShapeError
from tsgen.marketdata.known_processes import GaussianPathProcess
from tsgen.marketdata.known_processes.covariance_matrix import checked_cholesky
from tsgen.steering.linear_quadratic.linear_chain import LinearChain

Floats = NDArray[np.float64]


class Conditional(NamedTuple):
    """Law of one period given the past: mean ``slope @ past + level``, covariance."""

    slope: Floats
    level: Floats
    covariance: Floats


def conditionals(mean: ArrayLike, covariance: ArrayLike, *, n_assets: int = 1) -> list[Conditional]:
    """Conditional laws of a Gaussian path, period by period.

    Parameters
    ----------
    mean : array of shape (T, N) or (T * N,), float64
    covariance : array of shape (T * N, T * N), float64
        Time-major, assets vary fastest; positive definite.
    n_assets : int, default 1
        N; one period of N assets is the static case.

    Raises
    ------
    ShapeError, DataError
        If shapes disagree or the covariance is not symmetric positive definite.

    Examples
    --------
    >>> first, second = conditionals([0.0, 0.0], [[1.0, 0.5], [0.5, 1.0]])
    >>> second.slope.tolist(), round(float(second.covariance[0, 0]), 12)
    ([[0.5]], 0.75)
    """
    factor = checked_cholesky(covariance, name="covariance")
    level = np.asarray(mean, dtype=np.float64).reshape(-1)
    size = factor.shape[0]
    if factor.ndim != 2 or level.shape != (size,) or n_assets < 1 or size % n_assets:
        raise ShapeError(
            f"mean and covariance must describe whole periods of n_assets={n_assets}: "
            f"got {level.size} means and a covariance of shape {factor.shape}."
        )
    laws: list[Conditional] = []
    for first in range(0, size, n_assets):
        now, past = slice(first, first + n_assets), slice(0, first)
        # x = mean + L e: innovations of the past are known, those of now are new
        slope = np.zeros((n_assets, first))
        if first:
            slope[:] = np.linalg.solve(factor[past, past].T, factor[now, past].T).T
        laws.append(Conditional(slope, level[now] - slope @ level[past], factor[now, now] @ factor[now, now].T))
    return laws


def process_conditionals(process: GaussianPathProcess, horizon: int) -> list[Conditional]:
    """Conditional laws of a known Gaussian process (ARMA, VAR, kernel, factor model) from the start of a path.

    Examples
    --------
    >>> from tsgen.marketdata.known_processes import Arma
    >>> process_conditionals(Arma((0.5,), (), start="stationary"), 3)[2].slope.round(12).tolist()
    [[0.0, 0.5]]
    """
    return conditionals(process.mean(horizon), process.covariance(horizon), n_assets=process.n_assets)


def uniform_angles(n_steps: int) -> Floats:
    """Noise angles from pi/2 down to 0 in equal steps, shape (n_steps + 1,).

    Examples
    --------
    >>> uniform_angles(2).round(4).tolist()
    [1.5708, 0.7854, 0.0]
    """
    if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
        raise ConfigError(f"n_steps must be a positive integer: got {n_steps!r}.")
    return np.pi / 2 * (np.arange(int(n_steps), -1, -1) / int(n_steps))


def angle_chain(laws: Sequence[Conditional], angles: ArrayLike) -> LinearChain:
    r"""Chain of :math:`u' = \rho u - \cos\tau' (1 - \rho^2) F(u) / \sin\tau + \sqrt{1 - \rho^2} W`.

    Here :math:`\rho = \cos\tau / \cos\tau'` and the exact velocity is
    :math:`F = \sin\tau \cos\tau (I - S) (\cos^2\tau\, S + \sin^2\tau\, I)^{-1} (u - \cos\tau\, m) - \sin\tau\, m`.

    Parameters
    ----------
    laws : sequence of Conditional
    angles : array of shape (n_steps + 1,), float64
        Decreasing from pi/2 to 0, for every period.

    Raises
    ------
    ConfigError
        If the angles do not decrease strictly from pi/2 to 0.

    Examples
    --------
    >>> angle_chain(conditionals([0.0], [[1.0]]), uniform_angles(4)).n_steps
    4
    """
    tau = np.asarray(angles, dtype=np.float64)
    ends_right = tau.ndim == 1 and len(tau) > 1 and tau[0] == np.pi / 2 and tau[-1] == 0.0
    if not ends_right or not (np.diff(tau) < 0).all():
        raise ConfigError("angles must decrease strictly from pi/2 to 0: use uniform_angles(n_steps).")
    cosines, sines = np.cos(tau), np.sin(tau)
    cosines[0] = 0.0
    steps = []
    for law in laws:
        eye = np.eye(len(law.level))
        for cos, sin, then in zip(cosines[:-1], sines[:-1], cosines[1:], strict=True):
            rho = cos / then
            pull = then * (1.0 - rho**2) / sin
            spread = cos**2 * law.covariance + sin**2 * eye
            slope = sin * cos * np.linalg.solve(spread, eye - law.covariance)
            own = rho * eye - pull * slope
            steps.append((own, pull * (cos * slope + sin * eye), np.sqrt(1.0 - rho**2), True))
    return _assembled(laws, steps)


def denoising_chain(laws: Sequence[Conditional], alpha_bars: ArrayLike, *, control_start: bool = False) -> LinearChain:
    r"""The published chain, with the exact score at each level.

    Parameters
    ----------
    laws : sequence of Conditional
    alpha_bars : array of shape (n_steps,), float64
        Signal shares from the noisiest level to the last, increasing inside (0, 1); a share of 1 is the end.
    control_start : bool, default False
        Whether the start, :math:`N(0, I)`, is steered too.

    Raises
    ------
    ConfigError
        If the shares do not increase strictly inside (0, 1).

    References
    ----------
    Han, Razaviyayn and Xu (2024), "Stochastic control for fine-tuning diffusion models: optimality, regularity, and
    convergence", arXiv 2412.18164, section 2.

    Examples
    --------
    >>> denoising_chain(conditionals([0.0], [[1.0]]), geometric_alpha_bars(4)).controlled.tolist()
    [False, True, True, True, True]
    """
    shares = np.asarray(alpha_bars, dtype=np.float64)
    inside = shares.ndim == 1 and len(shares) > 0 and bool((shares > 0).all() and (shares < 1).all())
    if not inside or not (np.diff(shares) > 0).all():
        raise ConfigError("alpha_bars must increase strictly inside (0, 1): use geometric_alpha_bars(n_steps).")
    steps = []
    for law in laws:
        eye = np.eye(len(law.level))
        steps.append((0.0 * eye, 0.0 * eye, 1.0, control_start))
        for share, then in zip(shares, [*shares[1:], 1.0], strict=True):
            alpha = share / then
            precision = np.linalg.inv(share * law.covariance + (1.0 - share) * eye)
            own = (eye - (1.0 - alpha) * precision) / np.sqrt(alpha)
            toward = (1.0 - alpha) * np.sqrt(share / alpha) * precision
            steps.append((own, toward, np.sqrt(1.0 - alpha), True))
    return _assembled(laws, steps)


def geometric_alpha_bars(n_steps: int, smallest: float = 1e-3) -> Floats:
    """Signal shares with the same ``alpha`` in every step: equal steps of Ornstein-Uhlenbeck time.

    Examples
    --------
    >>> geometric_alpha_bars(3).round(6).tolist()
    [0.001, 0.01, 0.1]
    """
    if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
        raise ConfigError(f"n_steps must be a positive integer: got {n_steps!r}.")
    if not 0.0 < smallest < 1.0:
        raise ConfigError(f"smallest must be a signal share strictly between 0 and 1: got {smallest!r}.")
    return np.asarray(smallest ** (np.arange(int(n_steps), 0, -1) / int(n_steps)), dtype=np.float64)


_Step = tuple[Floats, Floats, float, bool]


def _assembled(laws: Sequence[Conditional], steps: Sequence[_Step]) -> LinearChain:
    """Steps ``y' = own y + toward m(past) + sigma W`` of all periods, on the state that is the whole path."""
    n_assets, per_period = len(laws[0].level), len(steps) // len(laws)
    size = n_assets * len(laws)
    transition = np.broadcast_to(np.eye(size), (len(steps), size, size)).copy()
    offset, noise = np.zeros((len(steps), size)), np.zeros((len(steps), size, n_assets))
    for s, (own, toward, sigma, _) in enumerate(steps):
        law, first = laws[s // per_period], n_assets * (s // per_period)
        now = slice(first, first + n_assets)
        transition[s, now, :] = 0.0
        transition[s, now, :first] = toward @ law.slope
        transition[s, now, now] = own
        offset[s, now] = toward @ law.level
        noise[s, now, :] = sigma * np.eye(n_assets)
    controlled = np.array([step[3] for step in steps])
    return LinearChain(transition=transition, offset=offset, noise=noise, controlled=controlled)
