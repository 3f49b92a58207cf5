"""Entropy pooling: re-weight scenarios to views, with the least change in relative entropy (no torch).

`entropy_pooling` takes a `ScenarioSet` and views and gives the same scenarios with posterior probabilities, which
every risk measure and optimiser uses. Above `scenario_set` in the layers, below everything that makes scenarios.
"""

from tsgen.reweighting.correlation_view import CorrelationView
from tsgen.reweighting.errors import PoolingConvergenceError, ViewConflictError
from tsgen.reweighting.moment_views import KurtosisView, MeanView, SkewView, VarianceView, VolatilityView
from tsgen.reweighting.path_events import BarrierHit, DrawdownBeyond, TerminalLoss
from tsgen.reweighting.pooling import entropy_pooling, entropy_pooling_report
from tsgen.reweighting.pooling_report import PoolingReport
from tsgen.reweighting.probability_views import EventProbabilityView, FunctionalView
from tsgen.reweighting.tail_views import CVaRView, VaRView
from tsgen.reweighting.view_protocol import View

__all__ = [
    "BarrierHit",
    "CVaRView",
    "CorrelationView",
    "DrawdownBeyond",
    "EventProbabilityView",
    "FunctionalView",
    "KurtosisView",
    "MeanView",
    "PoolingConvergenceError",
    "PoolingReport",
    "SkewView",
    "TerminalLoss",
    "VaRView",
    "VarianceView",
    "View",
    "ViewConflictError",
    "VolatilityView",
    "entropy_pooling",
    "entropy_pooling_report",
]
