"""Optima equal to those of skfolio, PyPortfolioOpt and Riskfolio-Lib where they solve the same problem."""

import numpy as np
import pandas as pd
import pytest
from skfolio import RiskMeasure
from skfolio.optimization import MeanRisk, ObjectiveFunction

from portfolio.constraints import Bounds
from portfolio.drawdown import AverageDrawdown, ConditionalDrawdownAtRisk, MaximumDrawdown
from portfolio.maximum_ratio import maximum_sharpe
from portfolio.mean_cvar import mean_cvar
from portfolio.mean_variance import mean_variance
from portfolio.moments import HorizonMoments
from portfolio.risk_measures import ConditionalValueAtRisk, evaluate_risk
from portfolio.risk_targets import minimum_risk, target_return
from tsgen.scenario_set import ScenarioSet

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning", "ignore::RuntimeWarning"
)
LEVEL, GAMMA, SAME = 0.9, 4.0, 1e-6
TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11}


def _frame(seed, n=6, rows=150):
    rng = np.random.default_rng(seed)
    x = rng.standard_t(5, (rows, n)) @ (np.eye(n) + 0.2) * 0.015 + rng.normal(0.001, 0.001, n)
    return pd.DataFrame(x, columns=[f"A{i}" for i in range(n)], index=pd.bdate_range("2020-01-01", periods=rows))


def _scenarios(frame):
    return ScenarioSet(frame.to_numpy()[:, None, :], list(frame.columns), "simple")


def _one_path(frame):
    # the rows as one path, which is how the others read them; twice, because moments need two scenarios
    return ScenarioSet(np.stack([frame.to_numpy()] * 2), list(frame.columns), "simple")


def _moments(frame):
    x = frame.to_numpy()
    return HorizonMoments(mean=x.mean(0), covariance=np.cov(x.T), assets=tuple(frame.columns), horizon=1)


def _utility(w, m):
    return m.mean @ w - GAMMA / 2 * w @ m.covariance @ w


@pytest.mark.parametrize("engine", ["direct", "cvxpy"])
@pytest.mark.parametrize("seed", range(3))
def test_mean_variance(seed, engine):
    pypfopt = pytest.importorskip("pypfopt")
    frame = _frame(seed)
    m = _moments(frame)
    ours = mean_variance(m, risk_aversion=GAMMA, constraints=[Bounds(0, 0.4)], engine=engine).objective
    skfolio = MeanRisk(
        objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
        risk_aversion=GAMMA / 2,
        max_weights=0.4,
        solver="CLARABEL",
        solver_params=TIGHT,
    )
    assert ours == pytest.approx(_utility(np.asarray(skfolio.fit(frame).weights_), m), rel=SAME)
    frontier = pypfopt.EfficientFrontier(
        m.mean, m.covariance, weight_bounds=(0, 0.4), solver="CLARABEL", solver_options=TIGHT
    )
    frontier.max_quadratic_utility(risk_aversion=GAMMA)
    assert ours == pytest.approx(_utility(np.array(list(frontier.weights)), m), rel=SAME)
    # variant that must fail: their convention of the risk aversion taken for ours
    frontier = pypfopt.EfficientFrontier(
        m.mean, m.covariance, weight_bounds=(0, 0.4), solver="CLARABEL", solver_options=TIGHT
    )
    frontier.max_quadratic_utility(risk_aversion=2 * GAMMA)
    assert ours > _utility(np.array(list(frontier.weights)), m) * (1 + 10 * SAME)


@pytest.mark.parametrize("engine", ["direct", "cvxpy"])
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_sharpe_and_risk_targets(seed, engine):
    pypfopt = pytest.importorskip("pypfopt")
    m = _moments(_frame(seed))

    def theirs(question, **given):
        frontier = pypfopt.EfficientFrontier(m.mean, m.covariance, solver="CLARABEL", solver_options=TIGHT)
        getattr(frontier, question)(**given)
        return np.array(list(frontier.weights))

    def deviation(w):
        return np.sqrt(w @ m.covariance @ w)

    w = theirs("max_sharpe", risk_free_rate=0.0001)
    ours = maximum_sharpe(m, risk_free=0.0001, engine=engine)
    assert ours.objective == pytest.approx((m.mean @ w - 0.0001) / deviation(w), rel=SAME)
    assert -minimum_risk(m, engine=engine).objective == pytest.approx(deviation(theirs("min_volatility")), rel=SAME)
    target = float(np.sort(m.mean)[3])
    ours = target_return(m, minimum=target, engine=engine)
    w = theirs("efficient_return", target_return=target)
    assert ours.diagnostics["volatility"] == pytest.approx(deviation(w), rel=SAME)


@pytest.mark.parametrize("engine", ["direct", "cvxpy"])
def test_cvar(engine):
    pypfopt = pytest.importorskip("pypfopt")
    frame = _frame(7)
    s, measure = _scenarios(frame), ConditionalValueAtRisk(LEVEL)
    target = float(np.sort(frame.mean().to_numpy())[3])
    ours = -target_return(s, minimum=target, measure=measure, engine=engine).objective
    model = pypfopt.EfficientCVaR(frame.mean(), frame, beta=LEVEL, solver="CLARABEL", solver_options=TIGHT)
    model.efficient_return(target)
    assert ours == pytest.approx(evaluate_risk(list(model.weights), s, measure), rel=SAME)
    skfolio = MeanRisk(
        risk_measure=RiskMeasure.CVAR, cvar_beta=LEVEL, min_return=target, solver="CLARABEL", solver_params=TIGHT
    )
    assert ours == pytest.approx(evaluate_risk(np.asarray(skfolio.fit(frame).weights_), s, measure), rel=SAME)
    utility = MeanRisk(
        objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
        risk_measure=RiskMeasure.CVAR,
        cvar_beta=LEVEL,
        risk_aversion=0.4,
        solver="CLARABEL",
        solver_params=TIGHT,
    )
    w = np.asarray(utility.fit(frame).weights_)
    theirs = frame.mean().to_numpy() @ w - 0.4 * evaluate_risk(w, s, measure)
    assert mean_cvar(s, risk_aversion=0.4, level=LEVEL, engine=engine).objective == pytest.approx(theirs, rel=SAME)


@pytest.mark.parametrize(
    ("measure", "theirs"),
    [
        (ConditionalDrawdownAtRisk(LEVEL), RiskMeasure.CDAR),
        (AverageDrawdown(), RiskMeasure.AVERAGE_DRAWDOWN),
        (MaximumDrawdown(), RiskMeasure.MAX_DRAWDOWN),
    ],
    ids=lambda x: getattr(x, "name", repr(x)),
)
def test_drawdown_of_one_series(measure, theirs):
    frame = _frame(8)
    s = _one_path(frame)
    model = MeanRisk(risk_measure=theirs, cdar_beta=LEVEL, solver="CLARABEL", solver_params=TIGHT)
    w = np.asarray(model.fit(frame).weights_)
    ours = minimum_risk(s, measure=measure, wealth="rebalanced", engine="direct")
    assert -ours.objective == pytest.approx(evaluate_risk(w, s, measure, wealth="rebalanced"), rel=SAME)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "measure"),
    [
        ("CVaR", ConditionalValueAtRisk(LEVEL)),
        ("CDaR", ConditionalDrawdownAtRisk(LEVEL)),
        ("ADD", AverageDrawdown()),
        ("MDD", MaximumDrawdown()),
    ],
)
def test_riskfolio(code, measure):
    rp = pytest.importorskip("riskfolio")
    frame = _frame(9)
    model = rp.Portfolio(returns=frame, alpha=1 - LEVEL)
    model.solvers = ["CLARABEL"]
    model.assets_stats(method_mu="hist", method_cov="hist")
    w = model.optimization(model="Classic", rm=code, obj="MinRisk").to_numpy().ravel()
    s, wealth = (_scenarios(frame), "buy_and_hold") if code == "CVaR" else (_one_path(frame), "rebalanced")
    ours = minimum_risk(s, measure=measure, wealth=wealth, engine="direct")
    assert -ours.objective == pytest.approx(evaluate_risk(w, s, measure, wealth=wealth), rel=SAME)
