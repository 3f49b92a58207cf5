"""Portfolios from scenarios: moments, constraints, costs, optimisers, performance.

Takes a `tsgen.scenario_set.ScenarioSet` (scenario, time, asset) with probabilities; never needs
torch. Imports are not lazy: `portfolio.mean_variance` is a function and also the file it lives in,
and only an import here makes the name mean the function for everybody.
"""

from portfolio import dynamic
from portfolio.allocation import Allocation
from portfolio.backtest import (
    BacktestResult,
    BacktestSettings,
    EqualWeightPolicy,
    FixedWeightsPolicy,
    Fold,
    HistoricalMomentsPolicy,
    Listing,
    NoLookAheadReport,
    PastView,
    ScenarioPolicy,
    Signals,
    TrainedPerFold,
    WalkForwardResult,
    backtest,
    check_no_lookahead,
    compare_strategies,
    deflated_sharpe_ratio,
    differences_to,
    panel_with_listing,
    probabilistic_sharpe_ratio,
    walk_forward,
    walk_forward_folds,
)
from portfolio.cardinality import Cardinality
from portfolio.constraints import Bounds, Budget, GroupLimit, TurnoverLimit
from portfolio.costs import LinearCost, QuadraticCost, ThreeHalvesCost, TotalCost
from portfolio.drawdown import (
    AverageDrawdown,
    ConditionalDrawdownAtRisk,
    MaximumDrawdown,
    MaximumDrawdownCVaR,
    drawdowns,
)
from portfolio.engines import CvxpyEngine
from portfolio.equal_weight import equal_weight
from portfolio.errors import InaccurateSolutionWarning, InfeasibleError, PortfolioError, SolverError, UnboundedError
from portfolio.exposure_constraints import AssetTurnoverLimit, FactorExposure, GrossLeverage, NetLeverage
from portfolio.fast_solvers import DirectEngine, DirectRefusal
from portfolio.frontier import EfficientFrontier, efficient_frontier
from portfolio.goal_probability import GoalReport, goal_probability
from portfolio.maximum_ratio import maximum_ratio, maximum_sharpe
from portfolio.mean_cvar import mean_cvar
from portfolio.mean_drawdown import mean_drawdown
from portfolio.mean_evar import mean_evar
from portfolio.mean_variance import mean_variance
from portfolio.moments import HorizonMoments, historical_moments, scenario_moments
from portfolio.performance import RealisedPerformance, realised_performance
from portfolio.risk_constraints import MinimumReturn, RelativeDrawdownLimit, RiskBudget, TrackingErrorLimit
from portfolio.risk_contributions import risk_contributions
from portfolio.risk_measures import (
    ConditionalValueAtRisk,
    EntropicValueAtRisk,
    TrackingError,
    Variance,
    Volatility,
    evaluate_risk,
)
from portfolio.risk_targets import (
    minimum_risk,
    minimum_tracking_error,
    minimum_variance,
    target_return,
    target_risk,
)
from portfolio.robust import CovarianceBox, MeanEllipsoid
from portfolio.shrinkage import ledoit_wolf_intensity, shrunk_moments
from portfolio.tail_risk import conditional_value_at_risk, entropic_value_at_risk, value_at_risk
from portfolio.wealth import wealth_paths

__all__ = [
    "Allocation",
    "AssetTurnoverLimit",
    "AverageDrawdown",
    "BacktestResult",
    "BacktestSettings",
    "Bounds",
    "Budget",
    "Cardinality",
    "ConditionalDrawdownAtRisk",
    "ConditionalValueAtRisk",
    "CovarianceBox",
    "CvxpyEngine",
    "DirectEngine",
    "DirectRefusal",
    "EfficientFrontier",
    "EntropicValueAtRisk",
    "EqualWeightPolicy",
    "FactorExposure",
    "FixedWeightsPolicy",
    "Fold",
    "GoalReport",
    "GrossLeverage",
    "GroupLimit",
    "HistoricalMomentsPolicy",
    "HorizonMoments",
    "InaccurateSolutionWarning",
    "InfeasibleError",
    "LinearCost",
    "Listing",
    "MaximumDrawdown",
    "MaximumDrawdownCVaR",
    "MeanEllipsoid",
    "MinimumReturn",
    "NetLeverage",
    "NoLookAheadReport",
    "PastView",
    "PortfolioError",
    "QuadraticCost",
    "RealisedPerformance",
    "RelativeDrawdownLimit",
    "RiskBudget",
    "ScenarioPolicy",
    "Signals",
    "SolverError",
    "ThreeHalvesCost",
    "TotalCost",
    "TrackingError",
    "TrackingErrorLimit",
    "TrainedPerFold",
    "TurnoverLimit",
    "UnboundedError",
    "Variance",
    "Volatility",
    "WalkForwardResult",
    "backtest",
    "check_no_lookahead",
    "compare_strategies",
    "conditional_value_at_risk",
    "deflated_sharpe_ratio",
    "differences_to",
    "drawdowns",
    "dynamic",
    "efficient_frontier",
    "entropic_value_at_risk",
    "equal_weight",
    "evaluate_risk",
    "goal_probability",
    "historical_moments",
    "ledoit_wolf_intensity",
    "maximum_ratio",
    "maximum_sharpe",
    "mean_cvar",
    "mean_drawdown",
    "mean_evar",
    "mean_variance",
    "minimum_risk",
    "minimum_tracking_error",
    "minimum_variance",
    "panel_with_listing",
    "probabilistic_sharpe_ratio",
    "realised_performance",
    "risk_contributions",
    "scenario_moments",
    "shrunk_moments",
    "target_return",
    "target_risk",
    "value_at_risk",
    "walk_forward",
    "walk_forward_folds",
    "wealth_paths",
]
