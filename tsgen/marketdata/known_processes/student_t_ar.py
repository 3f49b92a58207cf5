"""Autoregression with Student-t innovations: heavy tails with a known conditional law."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tsgen.errors import ShapeError
from tsgen.marketdata.known_processes.known_process import (
    checked_past,
    checked_positive,
    checked_vector,
)
from tsgen.marketdata.known_processes.student_t_law import StudentTLaw, check_degrees_of_freedom
from tsgen.whole_numbers import whole_number


@final
@dataclass(frozen=True, eq=False)
class StudentTAr:
    """``x_t = sum_i phi_i x_{t-i} + innovation_sd * e_t``, ``e_t`` Student-t scaled to unit variance, one asset.

    Parameters
    ----------
    phi : array of shape (p,), p may be 0
    dof : float
        Degrees of freedom of the innovations, above 2.
    innovation_sd : float, default 1.0
        Standard deviation (not scale) of the innovations.
    initial_values : array of shape (p,), optional
        Values before the first period, most recent last; zeros by default. Known, because the stationary law of
        such a process has no closed form.

    Raises
    ------
    ShapeError, DataError
        If arrays are not one-dimensional and finite, or ``initial_values`` has not p entries.
    ConfigError
        If ``dof <= 2`` or ``innovation_sd`` is not positive.

    Examples
    --------
    >>> process = StudentTAr(phi=[0.5], dof=5.0, initial_values=[2.0])
    >>> import numpy as np
    >>> process.conditional_law(np.zeros((1, 0, 1))).mean.tolist()
    [[1.0]]
    """

    phi: ArrayLike
    dof: float
    innovation_sd: float = 1.0
    initial_values: ArrayLike | None = None

    def __post_init__(self) -> None:
        phi = checked_vector(self.phi, name="phi")
        check_degrees_of_freedom(self.dof)
        checked_positive(self.innovation_sd, name="innovation_sd")
        object.__setattr__(self, "phi", phi)
        object.__setattr__(self, "initial_values", checked_initial_values(self.initial_values, phi.size))

    @property
    def n_assets(self) -> int:
        """Number of assets: one."""
        return 1

    def _location(self, history: NDArray[np.float64]) -> NDArray[np.float64]:
        """Conditional mean (B,) from a history (B, t) that begins with the initial values."""
        phi = np.asarray(self.phi)
        return history[:, history.shape[1] - phi.size :][:, ::-1] @ phi

    def sample(self, n_paths: int, horizon: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent paths of shape (n_paths, horizon, 1), float64."""
        count, periods = whole_number(n_paths, "n_paths"), whole_number(horizon, "horizon")
        initial = np.asarray(self.initial_values)
        noise = rng.standard_t(self.dof, size=(count, periods))
        noise *= self.innovation_sd * np.sqrt((self.dof - 2.0) / self.dof)
        history = np.empty((count, initial.size + periods))
        history[:, : initial.size] = initial
        for t in range(periods):
            now = initial.size + t
            history[:, now] = self._location(history[:, :now]) + noise[:, t]
        return history[:, initial.size :, None]

    def conditional_law(self, past: ArrayLike) -> StudentTLaw:
        """Exact Student-t law of the next period; past of shape (B, t, 1), t may be 0."""
        seen = checked_past(past, 1)
        initial = np.asarray(self.initial_values)
        history = np.concatenate([np.tile(initial, (seen.shape[0], 1)), seen[:, :, 0]], axis=1)
        return StudentTLaw(
            mean=self._location(history)[:, None], covariance=np.array([[self.innovation_sd**2]]), dof=self.dof
        )


def checked_initial_values(values: ArrayLike | None, order: int) -> NDArray[np.float64]:
    """Values before the first period, zeros if none are given.

    Raises
    ------
    ShapeError, DataError
        If there is not one finite value per lag.

    Examples
    --------
    >>> checked_initial_values(None, 2).tolist()
    [0.0, 0.0]
    """
    if values is None:
        return np.zeros(order)
    vector = checked_vector(values, name="initial_values")
    if vector.size != order:
        raise ShapeError(f"initial_values must have one entry per lag: expected {order}, got {vector.size}.")
    return vector
