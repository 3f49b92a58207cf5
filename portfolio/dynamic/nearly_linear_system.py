r"""The nearly linear system, its quadratic objective, and what is known of its optimum beforehand.

:math:`x_{t+1} = A x_t + B u_t + C \phi(x_t) + w_t`, policy :math:`u_t = -K_1 x_t - K_2 \phi(x_t)`, objective
:math:`\sum_t \delta^t (x_t'Q x_t + u_t'R u_t)`. Gains travel as one matrix :math:`K = (K_1, K_2)` of shape
(control, state + feature). Above `linear_quadratic` and `feature_maps`.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from portfolio.dynamic.checked_arrays import checked_discount, finite_array, positive_definite
from portfolio.dynamic.feature_maps import FeatureMap, checked_features
from portfolio.dynamic.linear_quadratic import solve_regulator
from tsgen.errors import DataError

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class NearlyLinearSystem:
    """Dynamics; noise is given with the paths, not here.

    Parameters
    ----------
    transition : array of shape (state, state)
        A.
    control : array of shape (state, control)
        B.
    nonlinear : array of shape (state, feature)
        C.
    features : FeatureMap
        Of the state.

    Raises
    ------
    ShapeError, DataError, ConfigError
        If shapes do not fit or values are not finite.

    Examples
    --------
    >>> from portfolio.dynamic.feature_maps import TanhFeatures
    >>> system = NearlyLinearSystem(transition=[[0.9]], control=[[1.0]], nonlinear=[[1.0]],
    ...                             features=TanhFeatures(directions=[[1.0]], strength=0.1))
    >>> system.n_state, system.n_control, system.n_features
    (1, 1, 1)
    """

    transition: Array
    control: Array
    nonlinear: Array
    features: FeatureMap

    def __post_init__(self) -> None:
        control = finite_array(self.control, (None, None), "control (state, control)")
        n = control.shape[0]
        features = checked_features(self.features, n)
        shape = (n, features.n_features)
        object.__setattr__(self, "control", control)
        object.__setattr__(self, "transition", finite_array(self.transition, (n, n), "transition (state, state)"))
        object.__setattr__(self, "nonlinear", finite_array(self.nonlinear, shape, "nonlinear (state, feature)"))

    @property
    def n_state(self) -> int:
        """Number of state variables."""
        return self.control.shape[0]

    @property
    def n_control(self) -> int:
        """Number of controls."""
        return self.control.shape[1]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.nonlinear.shape[1]

    def closed_loop_radius(self, gains: Array) -> float:
        """Largest eigenvalue, in size, of ``A - B K1``."""
        closed = self.transition - self.control @ gains[:, : self.n_state]
        return float(np.abs(np.linalg.eigvals(closed)).max())


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class QuadraticObjective:
    """What is minimised.

    Parameters
    ----------
    state_cost : array of shape (state, state)
        Q, symmetric; may be indefinite (trading earns as well as pays).
    control_cost : array of shape (control, control)
        R, positive definite.
    discount : float
        Factor per period, from 0.5 to 1.

    Examples
    --------
    >>> QuadraticObjective(state_cost=[[1.0]], control_cost=[[1.0]]).discount
    1.0
    """

    state_cost: Array
    control_cost: Array
    discount: float = 1.0

    def __post_init__(self) -> None:
        cost = finite_array(self.state_cost, (None, None), "state_cost")
        if cost.shape[0] != cost.shape[1] or not np.allclose(cost, cost.T, rtol=1e-9, atol=0.0):
            raise DataError(f"state_cost must be a symmetric matrix: got shape {cost.shape}. Use (Q + Q.T) / 2.")
        object.__setattr__(self, "state_cost", cost)
        object.__setattr__(self, "control_cost", positive_definite(self.control_cost, None, "control_cost"))
        object.__setattr__(self, "discount", checked_discount(self.discount))


class Surrogate(NamedTuple):
    """Where a descent starts, and the quadratic cost to go behind it."""

    gains: Array
    """(K1, K2) of shape (control, state + feature)."""
    value: Array
    """P of the quadratic cost to go; shape (state, state), or (state + feature, state + feature) where lifted."""


def lq_surrogate(system: NearlyLinearSystem, objective: QuadraticObjective) -> Surrogate:
    r"""Gains of the linear-quadratic surrogate: exact without features, wrong by the order of their Lipschitz constant.

    With P the Riccati solution of (A, B, Q, R): :math:`K_1 = G B'PA` and :math:`K_2 = G B'PC` with
    :math:`G = \delta(R + \delta B'PB)^{-1}`: the control that minimises the cost of now plus ``x'Px`` afterwards.

    Parameters
    ----------
    system : NearlyLinearSystem
    objective : QuadraticObjective

    Returns
    -------
    Surrogate

    Raises
    ------
    DataError
        If the linear part has no stabilising solution.

    References
    ----------
    Han, Razaviyayn and Xu (2023), "Policy gradient converges to the globally optimal policy for nearly
    linear-quadratic regulators", arXiv 2303.08431: initialisation from the linear-quadratic part. The formula for
    K2 is derived here.

    Examples
    --------
    >>> from portfolio.dynamic.feature_maps import NoFeatures
    >>> system = NearlyLinearSystem(transition=[[1.0]], control=[[1.0]], nonlinear=np.zeros((1, 0)),
    ...                             features=NoFeatures(n_inputs=1))
    >>> objective = QuadraticObjective(state_cost=[[1.0]], control_cost=[[1.0]])
    >>> lq_surrogate(system, objective).gains.round(6).tolist()
    [[0.618034]]
    """
    solution = solve_regulator(
        system.transition, system.control, objective.state_cost, objective.control_cost, discount=objective.discount
    )
    pushed = objective.discount * system.control.T @ solution.value
    second = np.linalg.solve(objective.control_cost + pushed @ system.control, pushed @ system.nonlinear)
    gains = np.asarray(np.hstack([solution.gain, second]), dtype=np.float64)
    return Surrogate(gains=gains, value=solution.value)


def lifted_surrogate(system: NearlyLinearSystem, objective: QuadraticObjective, feature_dynamics: Array) -> Surrogate:
    r"""Gains of the surrogate that also foresees the features: :math:`\phi(x_{t+1}) \approx D (x_t, \phi(x_t))`.

    The features join the state, and the regulator of the larger linear system is exact as far as the prediction is.
    Better than `lq_surrogate` where features persist, as saturating signals do.

    Parameters
    ----------
    system : NearlyLinearSystem
    objective : QuadraticObjective
    feature_dynamics : ndarray of shape (feature, state + feature)
        D, from a regression on trajectories.

    Returns
    -------
    Surrogate
        Its ``value`` is that of (state, features).

    Raises
    ------
    DataError
        If the larger system has no stabilising solution.

    Examples
    --------
    A feature that does not come back is a shock:

    >>> from portfolio.dynamic.feature_maps import TanhFeatures
    >>> system = NearlyLinearSystem(transition=[[0.9]], control=[[1.0]], nonlinear=[[1.0]],
    ...                             features=TanhFeatures(directions=[[1.0]], strength=0.1))
    >>> objective = QuadraticObjective(state_cost=[[1.0]], control_cost=[[1.0]])
    >>> gone = lifted_surrogate(system, objective, np.zeros((1, 2)))
    >>> bool(np.allclose(gone.gains, lq_surrogate(system, objective).gains))
    True
    """
    n, m = system.n_state, system.n_features
    dynamics = finite_array(feature_dynamics, (m, n + m), "feature_dynamics (feature, state + feature)")
    transition = np.vstack([np.hstack([system.transition, system.nonlinear]), dynamics])
    control = np.vstack([system.control, np.zeros((m, system.n_control))])
    state_cost = np.zeros((n + m, n + m))
    state_cost[:n, :n] = objective.state_cost
    solution = solve_regulator(transition, control, state_cost, objective.control_cost, discount=objective.discount)
    return Surrogate(gains=solution.gain, value=solution.value)
