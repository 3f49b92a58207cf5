r"""Fit a nearly linear-quadratic trading policy: identify, solve the surrogate, descend, judge on held-out paths.

The state is (position, 1, factors, return); only the position is controlled. The residuals of the identified
dynamics are kept as noise, so that the paths of factors and returns are exactly those of the data, whatever the
policy: nothing that least squares gets wrong enters the objective. Top of `portfolio.dynamic`.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from portfolio.costs import Cost
from portfolio.dynamic.checked_arrays import checked_discount, cost_matrix, positive_definite
from portfolio.dynamic.control_problem import ControlProblem
from portfolio.dynamic.descent_record import DescentResult
from portfolio.dynamic.feature_maps import FeatureMap, NoFeatures, TanhFeatures, checked_features
from portfolio.dynamic.gradient_descent import descend
from portfolio.dynamic.market_identification import IdentifiedMarket, MarketScale, identify_market, market_scale
from portfolio.dynamic.nearly_linear_system import QuadraticObjective, Surrogate, lifted_surrogate, lq_surrogate
from portfolio.dynamic.nearly_lq_policy import FeedbackGains, FitReport, NearlyLQPolicy, StageReport
from portfolio.dynamic.policy_training import FEWEST_PATHS, Earnings, PolicyTraining
from portfolio.dynamic.policy_value import mean_and_error
from portfolio.dynamic.signal_rules import SignalRule
from portfolio.dynamic.trading_paths import Sampling, TradingPaths, trading_paths
from portfolio.mean_risk_problem import checked_risk_aversion
from tsgen.errors import ConfigError, DataError
from tsgen.random_streams import check_seed, numpy_stream

Array = NDArray[np.float64]

# the descent is taken if it improves held-out paths by more than this many standard errors
_CONVINCING = 2.0


def fit_nearly_lq_policy(
    source: Any,
    signals: Any,
    costs: ArrayLike | Cost,
    risk_aversion: float,
    *,
    discount: float = 0.98,
    lag: int = 0,
    covariance: ArrayLike | None = None,
    training: PolicyTraining | None = None,
    seed: int = 0,
) -> NearlyLQPolicy:
    r"""Policy :math:`\Delta x = -K_1 (x, f) - K_2 \phi(f)` that trades on signals under costs.

    Maximises the objective of `garleanu_pedersen` on the paths of the source, whose dynamics are unknown:
    least squares, surrogate gains, policy gradient on part of the scenarios, judgement on the others.

    Parameters
    ----------
    source : ScenarioSet, ReturnPanel or generator
        Anything with ``sample(n_scenarios, horizon, seed=...)`` is a generator. A panel is cut into paths. At least
        ten paths. Simple or log returns.
    signals : SignalRule or array of shape (scenario, time, factor)
        A rule computes them from past returns, in training as in a backtest. An array is for scenarios only: entry t
        is known at the close of period t and predicts period t + 1; with ``time + 1`` entries, entry t is known
        before period t.
    costs : array of shape (asset, asset) or QuadraticCost
        Lambda of the cost ``1/2 dx' Lambda dx``.
    risk_aversion : float
    discount : float
        Factor ``1 - rho`` per period, from 0.5 to 0.9999.
    lag : int
        0: trade at the close of the signal, the timing of the closed form. **1: one close later, as
        `portfolio.backtest` does; use it for policies that are backtested.**
    covariance : array of shape (asset, asset), optional
        Of the unpredictable part of returns; by default that of the regression's residuals.
    training : PolicyTraining, optional
    seed : int
        Of sampling, of the split and of zeroth-order directions.

    Returns
    -------
    NearlyLQPolicy

    Raises
    ------
    ConfigError, DataError, ShapeError
        If an input is unusable, or the paths do not identify the dynamics.
    LookAheadError
        If the signals of a rule see the future.

    Notes
    -----
    Positions are amounts, or weights whose drift within a period is neglected. No limits on positions: leverage
    follows from the risk aversion. A stage of the descent without a convincing improvement on held-out paths is not
    taken: with little noise in the way, the surrogate is often as good as it gets. ``policy.report`` says so.

    References
    ----------
    Han, Razaviyayn and Xu (2023), arXiv 2303.08431; Garleanu and Pedersen (2013).

    Examples
    --------
    >>> from tsgen.scenario_set import ScenarioSet
    >>> from portfolio.dynamic.signal_rules import ExponentialAverages
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.normal(0, 0.01, (40, 61, 1))
    >>> returns = noise[:, 1:] + 0.5 * noise[:, :-1]  # yesterday's surprise comes back by half
    >>> policy = fit_nearly_lq_policy(
    ...     ScenarioSet(returns, assets=["A"], kind="simple"), ExponentialAverages(half_lives=(1.0,)),
    ...     costs=[[1e-4]], risk_aversion=5.0, training=PolicyTraining(features=None),
    ... )
    >>> policy
    NearlyLQPolicy(1 assets, 1 factors, 0 features, refined by policy gradient)
    >>> bool(policy.trade([0.0], [0.01])[0] > 0)
    True
    """
    chosen = PolicyTraining() if training is None else training
    delta = checked_discount(discount, below_one=True)
    if delta > 0.9999:
        raise ConfigError(f"discount must be at most 0.9999 when a policy is fitted to paths: got {delta:g}.")
    sampling = Sampling(chosen.n_scenarios, chosen.horizon, check_seed(seed))
    paths = trading_paths(source, signals, lag=lag, sampling=sampling)
    n_assets, n_factors = len(paths.assets), paths.signals.shape[2]
    scale = market_scale(paths)
    features = _features(chosen.features, scale.factors, n_factors)
    found = identify_market(paths, features, scale)
    given = found.returns_covariance if covariance is None else covariance
    sigma = positive_definite(given, n_assets, "covariance")
    objective = _objective(
        checked_risk_aversion(risk_aversion) * sigma,
        cost_matrix(costs, n_assets, paths.assets),
        n_factors,
        scale,
        delta,
    )
    lifted = lifted_surrogate(found.system, objective, found.feature_dynamics)
    start = lifted if chosen.start == "lifted" else lq_surrogate(found.system, objective)
    problem = _problem(paths, found, objective, lifted, scale)
    gains, facts = _descend_in_stages(problem, start.gains, chosen, scale.returns**2, seed)
    closed = np.eye(n_assets) - gains[:, :n_assets]
    return NearlyLQPolicy(
        assets=paths.assets,
        columns=paths.columns,
        gains=_in_data_units(gains, n_assets, n_factors, scale),
        features=features,
        rule=signals if isinstance(signals, SignalRule) else None,
        training_cutoff=paths.cutoff,
        covariance=sigma,
        report=FitReport(radius=float(np.abs(np.linalg.eigvals(closed)).max()), r_squared=found.r_squared, **facts),
    )


def _features(wanted: Any, scale: Array, n_factors: int) -> FeatureMap:
    if wanted is None:
        return NoFeatures(n_inputs=n_factors)
    if isinstance(wanted, str):
        return TanhFeatures(directions=np.diag(1.0 / scale))
    return checked_features(wanted, n_factors)


def _objective(risk: Array, charged: Array, n_factors: int, scale: MarketScale, delta: float) -> QuadraticObjective:
    """Minus the utility in units of a typical variance; the state's cost is that of the period it ends."""
    n = len(risk)
    d, unit = 2 * n + 1 + n_factors, scale.returns**2
    cost = np.zeros((d, d))
    cost[:n, :n] = 0.5 * risk / unit
    cost[:n, d - n :] = cost[d - n :, :n] = -0.5 * np.eye(n) / scale.returns
    return QuadraticObjective(state_cost=cost, control_cost=0.5 * charged / unit, discount=delta)


def _problem(
    paths: TradingPaths, found: IdentifiedMarket, objective: QuadraticObjective, lifted: Surrogate, scale: MarketScale
) -> ControlProblem:
    n, k = paths.returns.shape[2], paths.signals.shape[2]
    start = np.zeros((paths.n_scenarios, 2 * n + 1 + k))
    start[:, n], start[:, n + 1 : n + 1 + k] = 1.0, paths.signals[:, 0] / scale.factors
    return ControlProblem(
        system=found.system,
        objective=objective,
        initial_states=start,
        horizon=paths.n_decisions - 1,
        terminal=lifted.value,
        noise=found.noise,
        probabilities=paths.probabilities,
        observed=tuple(range(n + 1 + k)),
    )


def _noiseless(problem: ControlProblem, n_assets: int) -> ControlProblem:
    """The same factor paths; positions earn the identified mean of the returns."""
    noise = np.array(problem.noise)
    noise[:, :, -n_assets:] = 0.0
    return replace(problem, noise=noise)


def _split(problem: ControlProblem, share: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Scenarios to descend on, and those to judge with."""
    alive = np.flatnonzero(np.asarray(problem.probabilities) > 0)
    if len(alive) < FEWEST_PATHS:
        raise DataError(
            f"a policy needs at least {FEWEST_PATHS} paths of positive probability: got {len(alive)}. Sample more, or "
            "cut the history into shorter ones with PolicyTraining(horizon=...)."
        )
    order = numpy_stream(seed, "held-out scenarios").permutation(alive)
    count = max(3, round(share * len(alive)))
    return np.sort(order[count:]), np.sort(order[:count])


def _descend_in_stages(
    problem: ControlProblem, start: Array, training: PolicyTraining, unit: float, seed: int
) -> tuple[Array, dict[str, Any]]:
    """Descend on part of the scenarios; keep the outcome of a stage if the other part says so."""
    learning, judging = _split(problem, training.held_out, seed)
    judges = problem.subset(judging)
    gains, stages = start, []
    directions = numpy_stream(seed, "directions of the descent")
    for earnings in training.earnings:
        staged = problem if earnings == "realised" else _noiseless(problem, problem.shape[0])
        result = descend(staged.subset(learning), gains, training.descent, rng=directions)
        stage = _judged(result, gains, staged.subset(judging), judges, unit, earnings)
        stages.append(stage)
        gains = result.gains if stage.taken else gains
    value, error = mean_and_error(-judges.path_costs(start), np.asarray(judges.probabilities))
    facts: dict[str, Any] = {"n_training": len(learning), "n_held_out": len(judging), "n_decisions": problem.horizon}
    return gains, facts | {"surrogate_value": unit * value, "surrogate_error": unit * error, "stages": tuple(stages)}


def _judged(
    result: DescentResult, before: Array, staged: ControlProblem, realised: ControlProblem, unit: float,
    earnings: Earnings,
) -> StageReport:  # fmt: skip
    p = np.asarray(realised.probabilities)
    gain, error = mean_and_error(staged.path_costs(before) - staged.path_costs(result.gains), p)
    real, real_error = mean_and_error(realised.path_costs(before) - realised.path_costs(result.gains), p)
    return StageReport(
        earnings=earnings,
        status=result.status,
        training_improvement=unit * (result.steps[0].cost - result.cost),
        improvement=unit * gain,
        improvement_error=unit * error,
        realised_improvement=unit * real,
        realised_error=unit * real_error,
        taken=bool(gain > _CONVINCING * error and real > -_CONVINCING * real_error),
    )


def _in_data_units(gains: Array, n: int, k: int, scale: MarketScale) -> FeedbackGains:
    d = 2 * n + 1 + k
    return FeedbackGains(
        position=gains[:, :n],
        intercept=gains[:, n],
        factor=gains[:, n + 1 : n + 1 + k] / scale.factors,
        feature=gains[:, d:],
    )
