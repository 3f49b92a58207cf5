r"""Unknown dynamics from trajectories: weighted least squares, with the checks that make its answer usable.

:math:`x_{t+1} = A x_t + B u_t + C\phi(x_t) + w_t` is linear in (A, B, C). Above `nearly_linear_system`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from portfolio.dynamic.checked_arrays import finite_array
from portfolio.dynamic.feature_maps import FeatureMap, checked_features
from portfolio.dynamic.nearly_linear_system import NearlyLinearSystem
from tsgen.errors import DataError

Array = NDArray[np.float64]

# of the inputs scaled to equal size: beyond, the coefficients have no correct digit in common with the truth
_CONDITION_LIMIT = 1e10


class IdentifiedSystem(NamedTuple):
    """What least squares found."""

    system: NearlyLinearSystem
    noise_covariance: Array
    """Of the residuals, shape (state, state), corrected for degrees of freedom."""
    residuals: Array
    """``w_t`` of shape (scenario, time, state)."""


class LinearFit(NamedTuple):
    """A multivariate regression."""

    coefficients: Array
    """Shape (output, input)."""
    residual_covariance: Array
    """Shape (output, output), corrected for degrees of freedom."""


def fit_linear_dynamics(inputs: Array, outputs: Array, weights: Array | None = None) -> LinearFit:
    """Weighted least squares of ``outputs`` on ``inputs``, without adding a constant.

    Parameters
    ----------
    inputs : ndarray of shape (row, input)
    outputs : ndarray of shape (row, output)
    weights : ndarray of shape (row,), optional
        Non-negative; proportional to probabilities.

    Returns
    -------
    LinearFit

    Raises
    ------
    DataError
        If there are too few rows, or inputs are (nearly) linear combinations of each other.

    Examples
    --------
    >>> fit_linear_dynamics(np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [4.0], [6.0]])).coefficients.round(6)
    array([[2.]])
    """
    rows, n = inputs.shape
    w = np.full(rows, 1.0 / rows) if weights is None else weights / weights.sum()
    if int((w > 0).sum()) <= n:
        raise DataError(f"identification needs more rows than inputs: got {int((w > 0).sum())} rows, {n} inputs.")
    size = np.sqrt(w @ inputs**2)
    if not n:
        covariance = (outputs * w[:, None]).T @ outputs
        return LinearFit(coefficients=np.zeros((outputs.shape[1], 0)), residual_covariance=covariance)
    if not (size > 0).all():
        raise DataError(f"identification needs inputs that move: number {int(np.argmin(size))} is always zero.")
    root = np.sqrt(w)[:, None]
    left, values, right = np.linalg.svd(root * inputs / size, full_matrices=False)
    if values[-1] * _CONDITION_LIMIT < values[0]:
        raise DataError(
            f"identification needs independent inputs: their condition number is {values[0] / values[-1]:.1e}. "
            "Remove collinear signals or features, or excite the controls more."
        )
    coefficients = (right.T / values) @ (left.T @ (root * outputs)) / size[:, None]
    residuals = outputs - inputs @ coefficients
    freedom = 1.0 - n * float((w**2).sum())
    covariance = (residuals * w[:, None]).T @ residuals / max(freedom, 1.0 / rows)
    return LinearFit(coefficients=coefficients.T, residual_covariance=(covariance + covariance.T) / 2)


def identify_system(
    states: ArrayLike, controls: ArrayLike, features: FeatureMap, *, probabilities: ArrayLike | None = None
) -> IdentifiedSystem:
    """The system that explains trajectories best.

    Parameters
    ----------
    states : array of shape (scenario, time + 1, state)
    controls : array of shape (scenario, time, control)
        Must vary on their own: controls that are a function of the state identify only the closed loop.
    features : FeatureMap
        Of the state.
    probabilities : array of shape (scenario,), optional

    Returns
    -------
    IdentifiedSystem

    Raises
    ------
    ShapeError, DataError, ConfigError
        If shapes do not fit, or the trajectories do not tell the parameters apart.

    Notes
    -----
    Without noise the parameters are exact to rounding, as soon as there are more rows than unknowns per equation;
    with noise the error falls like one over the root of the number of rows.

    References
    ----------
    Han, Razaviyayn and Xu (2023), arXiv 2303.08431, recovery of the system parameters.

    Examples
    --------
    >>> from portfolio.dynamic.feature_maps import NoFeatures
    >>> u = np.array([[[1.0], [0.0], [-1.0]]])
    >>> x = np.array([[[0.0], [2.0], [1.0], [-1.5]]])
    >>> found = identify_system(x, u, NoFeatures(n_inputs=1)).system
    >>> found.transition.round(6).tolist(), found.control.round(6).tolist()
    ([[0.5]], [[2.0]])
    """
    x = finite_array(states, (None, None, None), "states (scenario, time, state)")
    u = finite_array(controls, (x.shape[0], x.shape[1] - 1, None), "controls (scenario, time, control)")
    n, p = x.shape[2], u.shape[2]
    checked_features(features, n)
    design = np.concatenate([x[:, :-1], u, features.value(x[:, :-1])], axis=2)
    weights = None
    if probabilities is not None:
        weights = np.repeat(finite_array(probabilities, (x.shape[0],), "probabilities"), u.shape[1])
    flat = design.reshape(-1, design.shape[2])
    fit = fit_linear_dynamics(flat, x[:, 1:].reshape(-1, n), weights)
    found = fit.coefficients
    system = NearlyLinearSystem(
        transition=found[:, :n], control=found[:, n : n + p], nonlinear=found[:, n + p :], features=features
    )
    return IdentifiedSystem(
        system=system, noise_covariance=fit.residual_covariance, residuals=x[:, 1:] - design @ found.T
    )
