r"""`LinearChain`: a reverse diffusion chain with linear Gaussian steps, and `LinearControl` of it.

.. math:: z_{s+1} = A_s z_s + b_s + B_s (v_s + W_s), \qquad W_s \sim N(0, I), \quad z_0 = 0,

where :math:`v_s` is the control in units of the noise. A chain over several periods has the whole path as its state:
coordinates of periods to come are zero, those of the present one are noisy, those of the past are finished. So a
control that is linear in the state is adapted as long as the chain is. Bottom of the exact layer; numpy only.
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import DataError, ShapeError

Floats = NDArray[np.float64]


def _finite(values: NDArray[np.float64], shape: tuple[int, ...], what: str) -> Floats:
    owned = np.array(values, dtype=np.float64)
    if owned.shape != shape:
        raise ShapeError(f"{what} must have shape {shape}: got {owned.shape}.")
    if not np.isfinite(owned).all():
        raise DataError(f"{what} must be finite: {int((~np.isfinite(owned)).sum())} entries are not.")
    owned.flags.writeable = False
    return owned


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class LinearChain:
    """A reference chain, started at zero (a random start is its first step).

    Parameters
    ----------
    transition : ndarray of shape (step, state, state), float64
    offset : ndarray of shape (step, state), float64
    noise : ndarray of shape (step, state, shock), float64
        Full column rank: a step without noise could not be steered at finite relative entropy.
    controlled : ndarray of shape (step,), bool
        Steps whose noise may be shifted.

    Raises
    ------
    ShapeError, DataError
        If shapes disagree, values are not finite, or a noise matrix has not full column rank.

    Examples
    --------
    >>> one = np.ones((1, 1, 1))
    >>> LinearChain(transition=0 * one, offset=np.zeros((1, 1)), noise=one, controlled=np.array([True])).n_steps
    1
    """

    transition: Floats
    offset: Floats
    noise: Floats
    controlled: NDArray[np.bool_]

    def __post_init__(self) -> None:
        noise = np.asarray(self.noise)
        if noise.ndim != 3 or 0 in noise.shape:
            raise ShapeError(f"noise must have axes (step, state, shock), none of them empty: got shape {noise.shape}.")
        steps, size, shocks = noise.shape
        assign = object.__setattr__
        assign(self, "noise", _finite(noise, (steps, size, shocks), "noise"))
        assign(self, "transition", _finite(self.transition, (steps, size, size), "transition"))
        assign(self, "offset", _finite(self.offset, (steps, size), "offset"))
        controlled = np.array(self.controlled, dtype=bool)
        if controlled.shape != (steps,):
            raise ShapeError(f"controlled must have one entry per step: expected {(steps,)}, got {controlled.shape}.")
        controlled.flags.writeable = False
        assign(self, "controlled", controlled)
        smallest = np.linalg.svd(self.noise, compute_uv=False).min(axis=1)
        if not (smallest > 0).all():
            raise DataError(
                f"every step needs noise in all its shocks: step {int(np.argmin(smallest))} lacks it in one. "
                "A deterministic step has no density ratio; use a sampler whose last step is random too."
            )

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return self.noise.shape[0]

    @property
    def n_states(self) -> int:
        """Dimension of the state."""
        return self.noise.shape[1]

    @property
    def n_shocks(self) -> int:
        """Dimension of the noise of one step."""
        return self.noise.shape[2]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class LinearControl:
    r"""Gaussian kernel :math:`v + W \sim N(F_s z + g_s, C_s)` in units of the reference noise.

    Parameters
    ----------
    gain : ndarray of shape (step, shock, state), float64
    offset : ndarray of shape (step, shock), float64
    covariance : ndarray of shape (step, shock, shock), float64
        The identity where only the mean is steered.

    Examples
    --------
    >>> one = np.ones((1, 1, 1))
    >>> chain = LinearChain(transition=0 * one, offset=np.zeros((1, 1)), noise=one, controlled=np.array([True]))
    >>> LinearControl.none(chain).covariance.tolist()
    [[[1.0]]]
    """

    gain: Floats
    offset: Floats
    covariance: Floats

    @classmethod
    def none(cls, chain: LinearChain) -> Self:
        """The reference itself: no control."""
        steps, size, shocks = chain.noise.shape
        identity = np.broadcast_to(np.eye(shocks), (steps, shocks, shocks)).copy()
        return cls(gain=np.zeros((steps, shocks, size)), offset=np.zeros((steps, shocks)), covariance=identity)

    def distance(self, other: "LinearControl") -> float:
        """Largest difference of gains and offsets (covariances not counted)."""
        gains = float(np.abs(self.gain - other.gain).max())
        return max(gains, float(np.abs(self.offset - other.offset).max()))

    @property
    def size(self) -> float:
        """Largest gain or offset."""
        return max(float(np.abs(self.gain).max()), float(np.abs(self.offset).max()))
