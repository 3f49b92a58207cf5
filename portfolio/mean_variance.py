"""Mean-variance portfolios: expected return, less risk, less the cost of getting there."""

from collections.abc import Iterable, Sequence
from typing import Any

import cvxpy as cp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from portfolio.allocation import Allocation
from portfolio.asset_vector import AssetValues, asset_vector
from portfolio.constraints import Bounds, Constraint, named_limits_of, with_defaults
from portfolio.convex_solver import SOLVER, Solution, solve
from portfolio.costs import Cost
from portfolio.decision_model import DecisionModel
from portfolio.moments import HorizonMoments, scenario_moments
from tsgen.errors import ConfigError
from tsgen.scenario_set import ScenarioSet

# interior points end this close to a bound, on either side
_PROJECTION_LIMIT = 1e-8


def mean_variance(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    risk_aversion: float,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
) -> Allocation:
    r"""Weights that maximise :math:`\mu'w - \tfrac{\gamma}{2} w'\Sigma w - \mathrm{costs}(w - w_0)`.

    Parameters
    ----------
    scenarios : ScenarioSet or HorizonMoments
        Scenarios give their probability-weighted moments over their whole horizon. For another horizon or for
        past returns pass ``scenario_moments(..., horizon=h)`` or ``historical_moments(panel, horizon=h)``.
    risk_aversion : float
        :math:`\gamma > 0`, dimensionless. Both terms grow with the horizon, so it need not be rescaled.
    constraints : sequence of Constraint
        **Without `Bounds`, long-only ``Bounds(0, 1)`` applies; without `Budget`, ``Budget(1)`` applies.** What was
        applied is in ``diagnostics["constraints"]``.
    costs : Cost, optional
        For example ``LinearCost(0.001)``. Charged once against the return of the horizon, and not taken out of
        the budget.
    previous : Series, mapping or array of shape (asset,), optional
        Weights held before the trade, matched by name. Without them trading starts **from cash**: every position
        pays for its purchase.

    Returns
    -------
    Allocation
        ``objective`` is the utility above, decimals over the horizon. Entries of ``diagnostics``:
        ``expected_return`` (before costs), ``volatility``, ``cost``, ``turnover`` (sum of absolute trades),
        ``horizon``, ``risk_aversion``, ``previous`` ("cash" or "given"), ``constraints``, ``duals`` (utility gained
        per unit by which a limit is relaxed; for the budget, raised), ``residuals``, ``projected`` (largest
        correction onto a bound), ``covariance_rank``, ``solver``, ``tolerance``, ``iterations``.

    Raises
    ------
    InfeasibleError
        If no weights satisfy the constraints; names a minimal conflicting set.
    UnboundedError
        If bounds are lifted and the covariance is singular, so that return without risk can be bought for ever.
    SolverError
        If the solver fails.
    ConfigError, DataError, ShapeError
        If an argument is unusable; the message says which and what to do.

    Warns
    -----
    InaccurateSolutionWarning
        If only reduced accuracy was reached; ``status`` is then ``"optimal_inaccurate"``.

    Notes
    -----
    A singular covariance (fewer scenarios than assets) is allowed: bounds keep the problem finite, but the optimum
    need not be unique. Estimated means are noisy and optimisers seek out their errors; compare with `equal_weight`.

    References
    ----------
    Markowitz (1952), "Portfolio selection". Lobo, Fazel and Boyd (2007), "Portfolio optimization with linear and
    fixed transaction costs", section 2.

    Examples
    --------
    Two uncorrelated assets, no limits: :math:`w = \mu / (\gamma \sigma^2)`.

    >>> m = HorizonMoments(mean=np.array([0.02, 0.01]), covariance=np.diag([0.04, 0.02]), assets=("A", "B"), horizon=1)
    >>> a = mean_variance(m, risk_aversion=1.0, constraints=[Bounds(-9, 9)])
    >>> a.weights.round(4).tolist()
    [0.5, 0.5]
    """
    moments = _as_moments(scenarios)
    gamma = _checked_risk_aversion(risk_aversion)
    if costs is not None and (isinstance(costs, type) or not isinstance(costs, Cost)):
        raise ConfigError(f"costs must be a cost object such as LinearCost(0.001), or None: got {costs!r}.")
    held = None if previous is None else asset_vector(previous, moments.assets, what="previous")
    model = DecisionModel(moments.assets, held)
    given, defaults = with_defaults(constraints)
    limits = named_limits_of(given, defaults, model)
    factor = moments.factor()
    objective = -moments.mean @ model.weights
    if factor.shape[1]:
        objective += 0.5 * gamma * cp.sum_squares(factor.T @ model.weights)
    if costs is not None:
        objective += costs.expression(model)
    size = max(float(np.abs(moments.mean).max()), gamma * float(np.abs(moments.covariance).max()))
    solution = solve(model, objective, limits, scale=1.0 / size if size > 0 else 1.0)
    weights, moved = _onto_bounds(solution.weights, (*given, *defaults), moments.assets)
    numbers = _numbers(weights, moments, gamma, costs, model)
    return Allocation(
        weights=weights,
        status=solution.status,
        objective=numbers.pop("objective"),
        diagnostics={
            **numbers,
            "horizon": moments.horizon,
            "risk_aversion": gamma,
            "previous": "cash" if previous is None else "given",
            "constraints": [repr(one) for one in given] + [f"{one!r} (default)" for one in defaults],
            "projected": moved,
            "covariance_rank": factor.shape[1],
            **_solver_facts(solution),
        },
    )


def _as_moments(scenarios: ScenarioSet | HorizonMoments) -> HorizonMoments:
    if isinstance(scenarios, HorizonMoments):
        return scenarios
    if isinstance(scenarios, ScenarioSet):
        return scenario_moments(scenarios)
    raise ConfigError(
        f"scenarios must be a ScenarioSet or HorizonMoments: got {type(scenarios).__name__}. "
        "For past returns pass historical_moments(panel, horizon=21)."
    )


def _checked_risk_aversion(value: float) -> float:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or value <= 0:
        raise ConfigError(
            f"risk_aversion must be a positive finite number: got {value!r}. Usual values are 1 to 10; "
            "to ignore risk altogether use a very small one."
        )
    return float(value)


def _onto_bounds(
    weights: NDArray[np.float64], constraints: Sequence[Constraint], assets: Sequence[str]
) -> tuple[pd.Series, float]:
    """Project rounding-sized violations of bounds; larger ones stay and show in the residuals."""
    projected = weights.copy()
    for one in constraints:
        if isinstance(one, Bounds):
            near = np.clip(projected, *one.arrays(assets))
            projected = np.where(np.abs(near - projected) <= _PROJECTION_LIMIT, near, projected)
    return pd.Series(projected, index=list(assets)), float(np.abs(projected - weights).max())


def _numbers(
    weights: pd.Series, moments: HorizonMoments, gamma: float, costs: Cost | None, model: DecisionModel
) -> dict[str, Any]:
    """Utility and its parts at the final weights, computed without the solver."""
    w = weights.to_numpy()
    trades = weights - model.start
    expected, variance = float(moments.mean @ w), max(float(w @ moments.covariance @ w), 0.0)
    cost = 0.0 if costs is None else costs.value(trades)
    return {
        "objective": expected - 0.5 * gamma * variance - cost,
        "expected_return": expected,
        "volatility": float(np.sqrt(variance)),
        "cost": cost,
        "turnover": float(trades.abs().sum()),
    }


def _solver_facts(solution: Solution) -> dict[str, Any]:
    return {
        "duals": dict(solution.duals),
        "residuals": {
            "feasibility": solution.residuals.feasibility,
            "stationarity": solution.residuals.stationarity,
            "complementarity": solution.residuals.complementarity,
        },
        "solver": SOLVER,
        "tolerance": solution.tolerance,
        "iterations": solution.iterations,
    }
