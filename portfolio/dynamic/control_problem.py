r"""Cost of a feedback policy over given paths, and its exact gradient by the adjoint recursion.

The cost is the average over scenarios of :math:`\sum_{t<T} \delta^t (x_t'Q x_t + u_t'R u_t) + \delta^T z_T' P z_T`
with :math:`z = (x, \phi(x))`. Start and noise are data, the same for every policy (common paths), so that costs of two
policies differ by what the policies do. Above `nearly_linear_system`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from portfolio.dynamic.checked_arrays import finite_array
from portfolio.dynamic.nearly_linear_system import NearlyLinearSystem, QuadraticObjective
from tsgen.errors import ConfigError, DataError

Array = NDArray[np.float64]

# scenarios per pass: their states fit into the cache together with those of the adjoint
_PASS = 512


class Visit(NamedTuple):
    """What a policy costs and where it goes."""

    cost: float
    """Average over scenarios."""
    gram: Array
    """Discounted second moments of the policy's inputs (state, features), shape (input, input)."""
    gradient: Array
    """Of the cost in the gains, shape (control, input); zeros if it was not asked for."""


class _Rollout(NamedTuple):
    states: Array  # (time + 1, scenario, state)
    inputs: Array  # (time, scenario, state + feature)
    controls: Array  # (time, scenario, control)
    costs: Array  # (scenario,)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class ControlProblem:
    """Minimise an average cost over linear feedback on states and features.

    Parameters
    ----------
    system : NearlyLinearSystem
    objective : QuadraticObjective
    initial_states : array of shape (scenario, state)
    horizon : int
        Number of controls T.
    terminal : array of shape (state, state) or (state + feature, state + feature)
        P of the cost at the end; the value of a surrogate makes a finite horizon behave like an infinite one.
    noise : array of shape (scenario, time, state), optional
        :math:`w_t`; none by default. Residuals of an identified system reproduce the paths they come from.
    probabilities : array of shape (scenario,), optional
        Equal by default.
    observed : tuple of int, optional
        State variables that the policy may use; by default all. Gains on the others stay as they are.

    Raises
    ------
    ShapeError, DataError, ConfigError
        If shapes do not fit or values are not finite.

    Examples
    --------
    >>> from portfolio.dynamic.feature_maps import NoFeatures
    >>> system = NearlyLinearSystem(transition=[[1.0]], control=[[1.0]], nonlinear=np.zeros((1, 0)),
    ...                             features=NoFeatures(n_inputs=1))
    >>> objective = QuadraticObjective(state_cost=[[1.0]], control_cost=[[1.0]])
    >>> problem = ControlProblem(system=system, objective=objective, initial_states=[[1.0]], horizon=1,
    ...                          terminal=[[1.0]])
    >>> problem.cost(np.array([[0.5]]))  # 1 + 0.5^2 + 0.5^2
    1.5
    """

    system: NearlyLinearSystem
    objective: QuadraticObjective
    initial_states: Array
    horizon: int
    terminal: Array
    noise: Array | None = None
    probabilities: Array | None = None
    observed: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        n = self.system.n_state
        start = finite_array(self.initial_states, (None, n), "initial_states (scenario, state)")
        if isinstance(self.horizon, bool) or not isinstance(self.horizon, (int, np.integer)) or self.horizon < 1:
            raise ConfigError(f"horizon must be a positive number of controls: got {self.horizon!r}.")
        finite_array(self.objective.state_cost, (n, n), "state_cost of this system")
        finite_array(self.objective.control_cost, (self.system.n_control,) * 2, "control_cost of this system")
        object.__setattr__(self, "initial_states", start)
        object.__setattr__(self, "terminal", _padded(self.terminal, n, n + self.system.n_features))
        if self.noise is not None:
            shape = (len(start), self.horizon, n)
            object.__setattr__(self, "noise", finite_array(self.noise, shape, "noise (scenario, time, state)"))
        weights = np.full(len(start), 1.0 / len(start)) if self.probabilities is None else self.probabilities
        p = finite_array(weights, (len(start),), "probabilities")
        if (p < 0).any() or abs(p.sum() - 1.0) > 1e-9:
            raise DataError(f"probabilities must be non-negative and sum to 1: their sum is {p.sum():.12g}.")
        object.__setattr__(self, "probabilities", p)
        seen = tuple(range(n)) if self.observed is None else tuple(self.observed)
        if len(set(seen)) != len(seen) or any(i not in range(n) for i in seen):
            raise ConfigError(f"observed must be different state variables from 0 to {n - 1}: got {self.observed}.")
        object.__setattr__(self, "observed", seen)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the gains, (control, state + feature)."""
        return self.system.n_control, self.system.n_state + self.system.n_features

    @property
    def active(self) -> NDArray[np.intp]:
        """Inputs of the policy that may have a gain: observed states, then all features."""
        features = range(self.system.n_state, self.shape[1])
        return np.array([*(self.observed or ()), *features], dtype=np.intp)

    @property
    def curvature(self) -> Array:
        """``R + delta B'PB`` of shape (control, control): curvature of the cost in the control."""
        b, n = self.system.control, self.system.n_state
        return self.objective.control_cost + self.objective.discount * b.T @ self.terminal[:n, :n] @ b

    def subset(self, scenarios: NDArray[np.intp]) -> Self:
        """The same problem over some of the scenarios, with probabilities normalised among them."""
        p = np.asarray(self.probabilities)[scenarios]
        noise = None if self.noise is None else self.noise[scenarios]
        return replace(self, initial_states=self.initial_states[scenarios], noise=noise, probabilities=p / p.sum())

    def path_costs(self, gains: Array) -> Array:
        """Cost of every scenario, shape (scenario,); infinite where the path explodes."""
        k = self._checked(gains)
        with np.errstate(over="ignore", invalid="ignore"):
            costs = np.concatenate([self._roll(k, part).costs for part in self._passes()])
        return np.where(np.isfinite(costs), costs, np.inf)

    def cost(self, gains: Array) -> float:
        """Average cost over the scenarios."""
        return float(np.asarray(self.probabilities) @ self.path_costs(gains))

    def visit(self, gains: Array, *, gradient: bool = True) -> Visit:
        """Cost, second moments of the inputs and, by the adjoint recursion, the exact gradient.

        Raises
        ------
        DataError
            If the paths explode under these gains.
        """
        k = self._checked(gains)
        cost, gram, slope = 0.0, np.zeros((self.shape[1],) * 2), np.zeros(self.shape)
        discounts = self.objective.discount ** np.arange(self.horizon)
        with np.errstate(over="ignore", invalid="ignore"):
            for part in self._passes():
                rolled, p = self._roll(k, part), np.asarray(self.probabilities)[part]
                cost += float(p @ rolled.costs)
                weighted = rolled.inputs * (discounts[:, None, None] * p[:, None])
                flat = (-1, self.shape[1])
                gram += weighted.reshape(flat).T @ rolled.inputs.reshape(flat)
                if gradient:
                    slope += self._adjoint(k, rolled, p)
        if not np.isfinite(cost) or not np.isfinite(slope).all():
            raise DataError(
                "the paths explode under these gains: the cost is not finite. Start from lq_surrogate(...), or from "
                "gains with a closed-loop radius below 1."
            )
        idle = np.setdiff1d(np.arange(self.shape[1]), self.active)
        slope[:, idle] = 0.0
        return Visit(cost=cost, gram=gram, gradient=slope)

    def radius(self, gains: Array) -> float:
        """Discounted closed-loop radius, ``sqrt(delta) * max |eig(A - B K1)|``: the cost is finite below 1."""
        return float(np.sqrt(self.objective.discount)) * self.system.closed_loop_radius(gains)

    def _checked(self, gains: Array) -> Array:
        return finite_array(gains, self.shape, "gains (control, state + feature)")

    def _inputs_of(self, states: Array) -> Array:
        return np.hstack([states, self.system.features.value(states)])

    def _passes(self) -> Iterator[slice]:
        total = len(self.initial_states)
        return (slice(first, min(first + _PASS, total)) for first in range(0, total, _PASS))

    def _roll(self, gains: Array, part: slice) -> _Rollout:
        system, objective = self.system, self.objective
        start = self.initial_states[part]
        states = np.empty((self.horizon + 1, *start.shape))
        inputs = np.empty((self.horizon, len(start), self.shape[1]))
        states[0] = start
        controls = np.empty((self.horizon, len(start), system.n_control))
        # one product gives the next state of all inputs: (A, C) (x, phi) + B u
        drift = np.hstack([system.transition, system.nonlinear]) - system.control @ gains
        for t in range(self.horizon):
            inputs[t, :, : system.n_state] = states[t]
            inputs[t, :, system.n_state :] = system.features.value(states[t])
            states[t + 1] = inputs[t] @ drift.T
            if self.noise is not None:
                states[t + 1] += self.noise[part, t]
        np.matmul(inputs, -gains.T, out=controls)
        discounts = objective.discount ** np.arange(self.horizon)
        stage = np.einsum("tsi,tsi->ts", states[:-1] @ objective.state_cost, states[:-1])
        stage += np.einsum("tsi,tsi->ts", controls @ objective.control_cost, controls)
        end = self._inputs_of(states[-1])
        last = objective.discount**self.horizon * np.einsum("si,si->s", end @ self.terminal, end)
        return _Rollout(states=states, inputs=inputs, controls=controls, costs=discounts @ stage + last)

    def _adjoint(self, gains: Array, rolled: _Rollout, p: Array) -> Array:
        r"""Backwards: :math:`\lambda_t` is the gradient of the cost in the state of period t."""
        system, objective, n = self.system, self.objective, self.system.n_state
        end = rolled.states[-1]
        in_end = self._inputs_of(end) @ (self.terminal + self.terminal.T)
        in_end *= objective.discount**self.horizon * p[:, None]
        costate = in_end[:, :n] + system.features.pull_back(end, in_end[:, n:])
        slope = np.zeros(self.shape)
        for t in range(self.horizon - 1, -1, -1):
            weight = 2.0 * objective.discount**t * p[:, None]
            in_control = weight * (rolled.controls[t] @ objective.control_cost) + costate @ system.control
            slope -= in_control.T @ rolled.inputs[t]
            in_input = -in_control @ gains
            in_features = costate @ system.nonlinear + in_input[:, n:]
            carried = costate @ system.transition + in_input[:, :n]
            carried += weight * (rolled.states[t] @ objective.state_cost)
            costate = carried + system.features.pull_back(rolled.states[t], in_features)
        return slope


def _padded(terminal: Array, n_state: int, n_inputs: int) -> Array:
    size = n_state if np.shape(terminal)[:1] == (n_state,) else n_inputs
    whole = np.zeros((n_inputs, n_inputs))
    whole[:size, :size] = finite_array(terminal, (size, size), "terminal (state, state)")
    return whole
