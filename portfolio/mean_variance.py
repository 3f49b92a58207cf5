"""Mean-variance portfolios: expected return, less risk, less the cost of getting there."""

from collections.abc import Iterable

from portfolio.allocation import Allocation
from portfolio.asset_vector import AssetValues
from portfolio.constraints import Constraint
from portfolio.costs import Cost
from portfolio.engines import EngineChoice
from portfolio.mean_risk import optimise
from portfolio.mean_risk_problem import Uncertainty, checked_risk_aversion, mean_risk_problem
from portfolio.moments import HorizonMoments
from portfolio.risk_measures import Variance
from tsgen.scenario_set import ScenarioSet


def mean_variance(
    scenarios: ScenarioSet | HorizonMoments,
    *,
    risk_aversion: float,
    constraints: Iterable[Constraint] = (),
    costs: Cost | None = None,
    previous: AssetValues | None = None,
    robust: Iterable[Uncertainty] = (),
    engine: EngineChoice = "auto",
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
    robust : sequence of MeanEllipsoid and CovarianceBox, optional
        The utility is then that of the worst moments of these sets.
    engine : {"auto", "cvxpy", "direct"} or Engine
        Who solves it, see `portfolio.engines.solve_with`. By default the direct solvers where they fit; only speed
        depends on it, and ``diagnostics["engine"]`` says which it was.

    Returns
    -------
    Allocation
        ``objective`` is the utility above, decimals over the horizon. Entries of ``diagnostics``: those of
        `portfolio.mean_risk.optimise` (``expected_return`` before costs, ``volatility``, ``cost``, ``turnover``,
        ``duals``, ``residuals`` and others) and ``risk_aversion``.

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

    >>> import numpy as np
    >>> from portfolio.constraints import Bounds
    >>> m = HorizonMoments(mean=np.array([0.02, 0.01]), covariance=np.diag([0.04, 0.02]), assets=("A", "B"), horizon=1)
    >>> a = mean_variance(m, risk_aversion=1.0, constraints=[Bounds(-9, 9)])
    >>> a.weights.round(4).tolist()
    [0.5, 0.5]
    """
    gamma = checked_risk_aversion(risk_aversion)
    problem = mean_risk_problem(
        scenarios,
        Variance(),
        constraints=constraints,
        costs=costs,
        previous=previous,
        robust=robust,
        risk_weight=0.5 * gamma,
    )
    return optimise(problem, engine=engine, risk_aversion=gamma)
