"""Random problems of every kind that the direct engines take: sizes, limits, costs, probabilities, bad data."""

from dataclasses import replace

import numpy as np

from portfolio.constraints import Bounds, Budget, GroupLimit, TurnoverLimit
from portfolio.costs import LinearCost, QuadraticCost, TotalCost
from portfolio.drawdown import AverageDrawdown, ConditionalDrawdownAtRisk, MaximumDrawdown, MaximumDrawdownCVaR
from portfolio.exposure_constraints import AssetTurnoverLimit, FactorExposure, GrossLeverage, NetLeverage
from portfolio.mean_risk_problem import MeanRiskProblem, mean_risk_problem
from portfolio.risk_constraints import MinimumReturn, RiskBudget
from portfolio.risk_measures import ConditionalValueAtRisk, RiskMeasure, TrackingError, Variance, Volatility
from tsgen.scenario_set import ScenarioSet


def random_scenarios(rng: np.random.Generator, n_times: int) -> ScenarioSet:
    """Heavy-tailed paths; one in three with copies of assets or scenarios, few scenarios, or a riskless asset."""
    n, s = int(rng.integers(2, 16)), int(rng.integers(40, 300))
    oddity = rng.choice(["none", "none", "few", "copies", "riskless", "same paths"])
    if oddity == "few":
        s = int(rng.integers(3, n + 3))
    common = rng.standard_t(4, (s, n_times, 1))
    returns = 0.012 * rng.uniform(0.5, 2.0, n) * (0.6 * common + rng.standard_t(4, (s, n_times, n)))
    returns += rng.normal(0.0005, 0.001, n) / n_times
    if oddity == "copies" and n > 2:
        returns[:, :, 1] = returns[:, :, 0]
    if oddity == "riskless":
        returns[:, :, -1] = 0.0001
    if oddity == "same paths":
        returns[1::2] = returns[: 2 * (s // 2) : 2]
    weighted = rng.random() < 0.6
    p = rng.dirichlet(np.full(s, rng.choice([0.3, 2.0]))) if weighted else None
    return ScenarioSet(np.clip(returns, -0.6, 0.6), [f"A{i}" for i in range(n)], "simple", p)


def random_constraints(rng: np.random.Generator, s: ScenarioSet, held: np.ndarray) -> list:
    """Limits that the held weights satisfy, so that there is a solution."""
    n, names = s.n_assets, s.assets
    short = rng.random() < 0.3
    cap = max(float(held.max()) + 0.05, 1.5 / n)
    limits: list = [Bounds(-0.3, cap) if short else Bounds(0, min(cap, 1.0))]
    loadings = rng.normal(1.0, 0.4, n)
    pick = rng.random(8) < 0.35
    if pick[0]:
        limits.append(TurnoverLimit(float(rng.uniform(0.1, 1.0))))
    if pick[1]:
        group = list(names[: max(1, n // 3)])
        inside = float(held[: len(group)].sum())
        limits.append(GroupLimit(group, lower=max(inside - 0.1, 0.0), upper=inside + 0.1))
    if pick[2]:
        exposure = float(loadings @ held)
        equal = rng.random() < 0.3
        width = 0.0 if equal else 0.2
        by_name = dict(zip(names, loadings, strict=True))
        limits.append(FactorExposure(by_name, exposure - width, exposure + width, name="market"))
    if pick[3]:
        limits.append(GrossLeverage(float(rng.uniform(1.0, 1.8))))
    if pick[4]:
        limits.append(NetLeverage(0.7, 1.0))
    elif pick[5]:
        limits.append(Budget(1.0))
    if pick[6]:
        limits.append(AssetTurnoverLimit(float(rng.uniform(0.05, 0.5))))
    return limits


def random_problem(seed: int) -> MeanRiskProblem:
    """The problem of a seed."""
    rng = np.random.default_rng(seed)
    level = float(rng.uniform(0.5, 0.97))
    kind = rng.choice(["variance", "deviation", "cvar", "drawdown"], p=[0.35, 0.1, 0.3, 0.25])
    measure: RiskMeasure = Variance()
    if kind == "cvar":
        measure = ConditionalValueAtRisk(level)
    elif kind == "drawdown":
        options = [AverageDrawdown(), ConditionalDrawdownAtRisk(level), MaximumDrawdownCVaR(level), MaximumDrawdown()]
        measure = options[int(rng.integers(4))]
    s = random_scenarios(rng, int(rng.integers(2, 12)) if kind == "drawdown" else int(rng.integers(1, 4)))
    held = rng.dirichlet(np.ones(s.n_assets))
    limits = random_constraints(rng, s, held)
    if kind == "deviation":
        measure = (
            Volatility()
            if rng.random() < 0.5
            else TrackingError(dict(zip(s.assets, rng.dirichlet(held + 0.1), strict=True)))
        )
    costs = rng.choice(np.array([None, LinearCost(0.001), QuadraticCost(0.02)], dtype=object))
    if rng.random() < 0.2:
        costs = TotalCost((LinearCost(0.0005), QuadraticCost(0.01)))
    wealth = "rebalanced" if rng.random() < 0.4 else "buy_and_hold"
    problem = mean_risk_problem(s, measure, constraints=limits, costs=costs, previous=held, wealth=wealth)
    return _with_question(rng, problem, held, kind, level)


def _with_question(
    rng: np.random.Generator, problem: MeanRiskProblem, held: np.ndarray, kind: str, level: float
) -> MeanRiskProblem:
    """Utility, least risk for a return, or most return for a risk."""
    aversion = float(rng.uniform(1.0, 8.0)) if kind == "variance" else float(rng.uniform(0.05, 1.0))
    question = "least" if kind == "deviation" else rng.choice(["utility", "utility", "least", "budget"])
    earned = float(problem.outlook.moments.mean @ held)
    if question == "least":
        linear = not isinstance(problem.costs, (QuadraticCost, TotalCost))
        target = (MinimumReturn(earned - abs(earned) * 0.05),) if linear else ()
        return replace(problem, return_weight=0.0, risk_weight=aversion, given=(*problem.given, *target))
    if question == "budget" and kind in ("cvar", "drawdown"):
        other = ConditionalValueAtRisk(level) if rng.random() < 0.5 else problem.measure
        room = other.value(held, problem.outlook)
        budget = RiskBudget(other, room + 0.02 * abs(room))
        return replace(problem, risk_weight=0.0 if rng.random() < 0.5 else aversion, given=(*problem.given, budget))
    return replace(problem, risk_weight=aversion)
