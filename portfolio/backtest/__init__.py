"""Backtest: past-only views, policies, simulator with books, walk-forward folds, leakage check, honest numbers.

Knows market data and the optimisers' `Allocation`, and no generator: scenario sources arrive as a protocol.
The package `portfolio.backtest` and the function `portfolio.backtest` share a name; ``import portfolio`` gives
the function, ``from portfolio.backtest import ...`` the rest.
"""

from portfolio.backtest.backtest_result import BacktestResult
from portfolio.backtest.folds import Fold, walk_forward_folds
from portfolio.backtest.listing import Listing, panel_with_listing
from portfolio.backtest.look_ahead import NoLookAheadReport, check_no_lookahead
from portfolio.backtest.paired_difference import differences_to
from portfolio.backtest.past_view import PastView
from portfolio.backtest.performance_summary import performance_summary
from portfolio.backtest.policy import Policy
from portfolio.backtest.rebalance_schedule import scheduled_dates
from portfolio.backtest.rule_policies import EqualWeightPolicy, FixedWeightsPolicy, HistoricalMomentsPolicy
from portfolio.backtest.scenario_policy import ScenarioPolicy, ScenarioSource
from portfolio.backtest.settings import BacktestSettings
from portfolio.backtest.sharpe_tests import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    probabilistic_sharpe_ratio,
    sharpe_probability,
)
from portfolio.backtest.signals import Signals
from portfolio.backtest.simulator import backtest
from portfolio.backtest.strategy_comparison import compare_strategies
from portfolio.backtest.walk_forward import TrainedPerFold, WalkForwardResult, walk_forward

__all__ = [
    "BacktestResult",
    "BacktestSettings",
    "EqualWeightPolicy",
    "FixedWeightsPolicy",
    "Fold",
    "HistoricalMomentsPolicy",
    "Listing",
    "NoLookAheadReport",
    "PastView",
    "Policy",
    "ScenarioPolicy",
    "ScenarioSource",
    "Signals",
    "TrainedPerFold",
    "WalkForwardResult",
    "backtest",
    "check_no_lookahead",
    "compare_strategies",
    "deflated_sharpe_ratio",
    "differences_to",
    "expected_maximum_sharpe",
    "panel_with_listing",
    "performance_summary",
    "probabilistic_sharpe_ratio",
    "scheduled_dates",
    "sharpe_probability",
    "walk_forward",
    "walk_forward_folds",
]
