"""Grids of noise angles, from noise (pi/2) to clean (0), in float64.

The grid matters more than the order of the scheme: what decides heavy tails happens near pi/2, so the
default levels are uniform in ``log tan(tau)``. The ranges come from a study with exact velocities of
Student-t, mixture, Laplace and mis-scaled laws.
"""

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError

Angles = NDArray[np.float64]

# largest tan(tau) of the stochastic grid by number of steps; in between: interpolated in log-log
_STOCHASTIC_STEPS = np.array([4.0, 8.0, 12.0, 16.0, 32.0])
_STOCHASTIC_LARGEST = np.array([4.0, 7.0, 11.0, 14.0, 22.0])
STOCHASTIC_SMALLEST_TANGENT = 0.25


def check_steps(n_steps: int) -> int:
    """Return ``n_steps`` if it is an integer of at least 2; raise `ConfigError` otherwise."""
    if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 2:
        raise ConfigError(f"n_steps must be an integer of at least 2: got {n_steps!r}. Use 8 (fast) or 16 (accurate).")
    return int(n_steps)


def check_angles(angles: Angles) -> Angles:
    """Return ``angles`` as float64 if they decrease strictly inside (0, pi/2); raise `ConfigError` otherwise."""
    levels = np.asarray(angles, dtype=np.float64)
    inside = levels.ndim == 1 and len(levels) > 0 and bool(levels[-1] > 0.0) and bool(levels[0] < np.pi / 2)
    if not inside or bool((np.diff(levels) >= 0.0).any()):
        raise ConfigError("angles must decrease strictly inside (0, pi/2): use tsgen.diffusion.angle_grid.")
    return levels


def deterministic_angles(n_steps: int) -> Angles:
    """Levels for the probability-flow scheme: log-uniform in tan from ``2.5 K`` to ``0.25 + 1 / K``.

    Returns
    -------
    ndarray of shape (n_steps,), float64
        Decreasing; pi/2 and 0 are not included.

    Examples
    --------
    >>> deterministic_angles(4).round(3).tolist()
    [1.471, 1.306, 0.936, 0.464]
    """
    k = check_steps(n_steps)
    return np.arctan(np.geomspace(2.5 * k, 0.25 + 1.0 / k, k))


def stochastic_angles(n_steps: int) -> Angles:
    """Levels for the stochastic scheme: log-uniform in tan down to 0.25.

    Returns
    -------
    ndarray of shape (n_steps,), float64
        Decreasing; pi/2 and 0 are not included.

    Examples
    --------
    >>> stochastic_angles(16)[[0, -1]].round(3).tolist()
    [1.499, 0.245]
    """
    k = check_steps(n_steps)
    slope = np.log(22.0 / 14.0) / np.log(2.0)
    if k > 32:
        largest = 22.0 * (k / 32.0) ** slope
    else:
        largest = float(np.exp(np.interp(np.log(k), np.log(_STOCHASTIC_STEPS), np.log(_STOCHASTIC_LARGEST))))
    return np.arctan(np.geomspace(largest, STOCHASTIC_SMALLEST_TANGENT, k))


def uniform_angles(n_steps: int) -> Angles:
    """Equally spaced levels strictly between pi/2 and 0; all gaps shrink like 1/K (studies of order)."""
    k = check_steps(n_steps)
    return np.linspace(np.pi / 2, 0.0, k + 2)[1:-1]
