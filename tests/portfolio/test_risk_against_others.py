"""The same optimum as skfolio, PyPortfolioOpt and Riskfolio-Lib where they solve the same problem.

They read the rows of one matrix as a time series and compound nothing: two equal paths, rebalanced,
are the same problem here. Each optimum is evaluated by our numpy measures, relative tolerance 1e-6.
"""

import numpy as np
import pandas as pd
import pytest
from skfolio import RiskMeasure
from skfolio.optimization import MeanRisk, ObjectiveFunction
from skfolio.prior import BasePrior, ReturnDistribution

from portfolio.costs import LinearCost
from portfolio.drawdown import AverageDrawdown, ConditionalDrawdownAtRisk, MaximumDrawdown
from portfolio.maximum_ratio import maximum_ratio, maximum_sharpe
from portfolio.mean_cvar import mean_cvar
from portfolio.mean_evar import mean_evar
from portfolio.risk_measures import ConditionalValueAtRisk, EntropicValueAtRisk, Variance, Volatility, evaluate_risk
from portfolio.risk_targets import minimum_risk, target_return
from tsgen.scenario_set import ScenarioSet

LEVEL = 0.9
TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11}
RNG = np.random.default_rng(1)
N, ROWS = 5, 120
X = RNG.standard_t(5, size=(ROWS, N)) @ (np.eye(N) + 0.2) * 0.02 + 0.002 * np.arange(N)
P = RNG.dirichlet(np.full(ROWS, 2.0))
A = [f"A{i}" for i in range(N)]
FRAME = pd.DataFrame(X, columns=A, index=pd.bdate_range("2020-01-01", periods=ROWS))
ROWS_AS_SCENARIOS = ScenarioSet(X[:, None, :], A, "simple")
ONE_PATH = ScenarioSet(np.stack([X, X]), A, "simple")

SCENARIO_MEASURES = {
    "cvar": ConditionalValueAtRisk(LEVEL),
    "evar": EntropicValueAtRisk(LEVEL),
    "volatility": Volatility(),
}
PATH_MEASURES = {"cdar": ConditionalDrawdownAtRisk(LEVEL), "average": AverageDrawdown(), "maximum": MaximumDrawdown()}
ALL = {**SCENARIO_MEASURES, **PATH_MEASURES}


def _setting(name):
    return (ROWS_AS_SCENARIOS, "buy_and_hold") if name in SCENARIO_MEASURES else (ONE_PATH, "rebalanced")


class _Weighted(BasePrior):
    """Prior of skfolio that carries our probabilities."""

    def __init__(self):
        pass

    def fit(self, X, y=None, **fit_params):
        values = np.asarray(X)
        mean = P @ values
        centred = values - mean
        self.return_distribution_ = ReturnDistribution(
            mu=mean, covariance=(centred * P[:, None]).T @ centred, returns=values, sample_weight=P
        )
        return self


def _skfolio(measure, objective=ObjectiveFunction.MAXIMIZE_UTILITY, **options):
    model = MeanRisk(
        objective_function=objective,
        risk_measure=measure,
        risk_aversion=0.5,
        cvar_beta=LEVEL,
        evar_beta=LEVEL,
        cdar_beta=LEVEL,
        solver="CLARABEL",
        solver_params=TIGHT,
        **options,
    )
    return np.asarray(model.fit(FRAME).weights_)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("function", "theirs", "measure"),
    [
        (mean_cvar, RiskMeasure.CVAR, ConditionalValueAtRisk(LEVEL)),
        (mean_evar, RiskMeasure.EVAR, EntropicValueAtRisk(LEVEL)),
    ],
)
def test_utility_as_skfolio_with_probabilities(function, theirs, measure, weighted):
    s = ROWS_AS_SCENARIOS.with_probabilities(P if weighted else None)
    w = _skfolio(theirs, **({"prior_estimator": _Weighted()} if weighted else {}))
    a = function(s, risk_aversion=0.5, level=LEVEL)
    assert a.objective == pytest.approx(s.weights @ X @ w - 0.5 * evaluate_risk(w, s, measure), rel=1e-6)
    if weighted:
        # variant that must fail: probabilities ignored
        wrong = _skfolio(theirs)
        assert a.objective > s.weights @ X @ wrong - 0.5 * evaluate_risk(wrong, s, measure) + 1e-7


def test_costs_as_skfolio():
    # skfolio charges costs in every scenario too: certain costs c make CVaR larger by c, so its 0.001 is our 0.0015
    held, measure = np.full(N, 1 / N), ConditionalValueAtRisk(LEVEL)
    w = _skfolio(RiskMeasure.CVAR, transaction_costs=0.001, previous_weights=held)
    a = mean_cvar(ROWS_AS_SCENARIOS, risk_aversion=0.5, level=LEVEL, costs=LinearCost(0.0015), previous=held)
    theirs = X.mean(0) @ w - 0.0015 * np.abs(w - held).sum() - 0.5 * evaluate_risk(w, ROWS_AS_SCENARIOS, measure)
    assert a.objective == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("volatility", RiskMeasure.STANDARD_DEVIATION),
        ("cdar", RiskMeasure.CDAR),
        ("average", RiskMeasure.AVERAGE_DRAWDOWN),
        ("maximum", RiskMeasure.MAX_DRAWDOWN),
    ],
)
def test_least_risk_as_skfolio(name, theirs):
    s, wealth = _setting(name)
    w = _skfolio(theirs, ObjectiveFunction.MINIMIZE_RISK)
    a = minimum_risk(s, measure=ALL[name], wealth=wealth)
    assert -a.objective == pytest.approx(evaluate_risk(w, s, ALL[name], wealth=wealth), rel=1e-6)


def test_cvar_for_a_return_as_skfolio():
    target = float(X.mean(0)[3])
    w = _skfolio(RiskMeasure.CVAR, ObjectiveFunction.MINIMIZE_RISK, min_return=target)
    a = target_return(ROWS_AS_SCENARIOS, minimum=target, measure=ConditionalValueAtRisk(LEVEL))
    assert -a.objective == pytest.approx(evaluate_risk(w, ROWS_AS_SCENARIOS, ConditionalValueAtRisk(LEVEL)), rel=1e-6)


def test_as_pyportfolioopt():
    pypfopt = pytest.importorskip("pypfopt")
    mean, covariance = X.mean(0), np.cov(X.T, ddof=0)
    sharpe = pypfopt.EfficientFrontier(mean, covariance, solver="CLARABEL")
    sharpe.max_sharpe(risk_free_rate=0.0)
    w = np.array(list(sharpe.weights))
    expected = mean @ w / np.sqrt(w @ covariance @ w)
    assert maximum_sharpe(ROWS_AS_SCENARIOS).objective == pytest.approx(expected, rel=1e-6)
    cvar = pypfopt.EfficientCVaR(mean, FRAME, beta=LEVEL, solver="CLARABEL")
    cvar.min_cvar()
    cdar = pypfopt.EfficientCDaR(mean, FRAME, beta=LEVEL, solver="CLARABEL")
    cdar.min_cdar()
    for name, weights in (("cvar", cvar.weights), ("cdar", cdar.weights)):
        s, wealth = _setting(name)
        theirs = evaluate_risk(weights, s, ALL[name], wealth=wealth)
        assert -minimum_risk(s, measure=ALL[name], wealth=wealth).objective == pytest.approx(theirs, rel=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_as_riskfolio():
    rp = pytest.importorskip("riskfolio")
    portfolio = rp.Portfolio(returns=FRAME, alpha=1 - LEVEL)
    portfolio.solvers = ["CLARABEL"]
    portfolio.assets_stats(method_mu="hist", method_cov="hist")
    codes = {"volatility": "MV", "cvar": "CVaR", "evar": "EVaR", "cdar": "CDaR", "average": "ADD", "maximum": "MDD"}
    for name, code in codes.items():
        (s, wealth), measure = _setting(name), ALL[name]
        least = portfolio.optimization(model="Classic", rm=code, obj="MinRisk").to_numpy().ravel()
        a = minimum_risk(s, measure=measure, wealth=wealth)
        assert -a.objective == pytest.approx(evaluate_risk(least, s, measure, wealth=wealth), rel=1e-6), name
        ratio = portfolio.optimization(model="Classic", rm=code, obj="Sharpe", rf=0).to_numpy().ravel()
        # they divide the mean of one row by the risk, we the return of the whole path
        earned = X.mean(0) @ ratio * (1 if name in SCENARIO_MEASURES else ROWS)
        theirs = earned / evaluate_risk(ratio, s, measure, wealth=wealth)
        assert maximum_ratio(s, measure=measure, wealth=wealth).objective == pytest.approx(theirs, rel=1e-6), name


def test_variance_and_volatility_ask_the_same():
    a, b = (minimum_risk(ROWS_AS_SCENARIOS, measure=m) for m in (Variance(), Volatility()))
    assert -a.objective == pytest.approx(b.objective**2, rel=1e-7)
