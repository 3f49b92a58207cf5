"""Policies that look ahead: closed forms, planning, and nearly linear-quadratic feedback fitted to paths.

Trading on signals under costs, from the exact to the learned. `garleanu_pedersen` and `finite_horizon_trading` solve
the linear-quadratic problem; `plan_trades` plans on expected returns, with limits; `fit_nearly_lq_policy` learns
feedback from scenarios, a generator or a history and returns a policy that `portfolio.backtest` runs. Numpy only.
"""

from portfolio.dynamic.control_problem import ControlProblem
from portfolio.dynamic.descent_record import DescentResult, DescentSettings
from portfolio.dynamic.feature_maps import FeatureMap, KernelFeatures, NoFeatures, SelectedInputs, TanhFeatures
from portfolio.dynamic.finite_horizon_trading import FiniteHorizonTrading, finite_horizon_trading
from portfolio.dynamic.fit_policy import fit_nearly_lq_policy
from portfolio.dynamic.garleanu_pedersen import TradingSolution, garleanu_pedersen
from portfolio.dynamic.gradient_descent import descend, zeroth_order_gradient
from portfolio.dynamic.linear_quadratic import Regulator, solve_regulator
from portfolio.dynamic.multi_period_planning import TradePlan, plan_trades
from portfolio.dynamic.nearly_linear_system import (
    NearlyLinearSystem,
    QuadraticObjective,
    Surrogate,
    lifted_surrogate,
    lq_surrogate,
)
from portfolio.dynamic.nearly_lq_policy import FeedbackGains, FitReport, NearlyLQPolicy
from portfolio.dynamic.policy_training import PolicyTraining
from portfolio.dynamic.policy_value import PolicyValue, policy_value
from portfolio.dynamic.signal_rules import ColumnSignals, CustomSignals, ExponentialAverages, SignalRule
from portfolio.dynamic.system_identification import IdentifiedSystem, identify_system
from portfolio.dynamic.trading_problem import TradingProblem

__all__ = [
    "ColumnSignals",
    "ControlProblem",
    "CustomSignals",
    "DescentResult",
    "DescentSettings",
    "ExponentialAverages",
    "FeatureMap",
    "FeedbackGains",
    "FiniteHorizonTrading",
    "FitReport",
    "IdentifiedSystem",
    "KernelFeatures",
    "NearlyLQPolicy",
    "NearlyLinearSystem",
    "NoFeatures",
    "PolicyTraining",
    "PolicyValue",
    "QuadraticObjective",
    "Regulator",
    "SelectedInputs",
    "SignalRule",
    "Surrogate",
    "TanhFeatures",
    "TradePlan",
    "TradingProblem",
    "TradingSolution",
    "descend",
    "finite_horizon_trading",
    "fit_nearly_lq_policy",
    "garleanu_pedersen",
    "identify_system",
    "lifted_surrogate",
    "lq_surrogate",
    "plan_trades",
    "policy_value",
    "solve_regulator",
    "zeroth_order_gradient",
]
