"""Portfolios from scenarios: moments, constraints, costs, optimisers, performance.

Takes a `tsgen.scenario_set.ScenarioSet` (scenario, time, asset) with probabilities; never needs
torch. Imports are not lazy: `portfolio.mean_variance` is a function and also the file it lives in,
and only an import here makes the name mean the function for everybody.
"""

from portfolio.allocation import Allocation
from portfolio.constraints import Bounds, Budget, GroupLimit, TurnoverLimit
from portfolio.costs import LinearCost
from portfolio.equal_weight import equal_weight
from portfolio.errors import InaccurateSolutionWarning, InfeasibleError, PortfolioError, SolverError, UnboundedError
from portfolio.mean_variance import mean_variance
from portfolio.moments import HorizonMoments, historical_moments, scenario_moments
from portfolio.performance import RealisedPerformance, realised_performance

__all__ = [
    "Allocation",
    "Bounds",
    "Budget",
    "GroupLimit",
    "HorizonMoments",
    "InaccurateSolutionWarning",
    "InfeasibleError",
    "LinearCost",
    "PortfolioError",
    "RealisedPerformance",
    "SolverError",
    "TurnoverLimit",
    "UnboundedError",
    "equal_weight",
    "historical_moments",
    "mean_variance",
    "realised_performance",
    "scenario_moments",
]
