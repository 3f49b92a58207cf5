"""Plugs: scenarios and backtests in the shapes of other libraries.

skfolio (`ScenarioDistribution`, `ScenarioPrior`, `SkfolioPolicy`), programs that take a pair (R, p)
(`entropy_pooling_pair`, `with_posterior`), multi-period engines (`StepForecaster`), PyPortfolioOpt and Riskfolio-Lib
(`pyportfolioopt_frames`, `riskfolio_frames`), quantstats (`quantstats_returns`). Above the rest of `portfolio`, which
does not import it. A generator is a protocol here: anything with ``assets``, ``kind`` and ``sample(...)``.
"""

from portfolio.interop.conditioning import ThinConditioningWarning
from portfolio.interop.multi_period_forecaster import StepForecaster
from portfolio.interop.optimiser_frames import (
    PyPortfolioOptFrames,
    RiskfolioFrames,
    pyportfolioopt_frames,
    riskfolio_frames,
)
from portfolio.interop.return_series import quantstats_returns
from portfolio.interop.scenario_distribution import ScenarioDistribution
from portfolio.interop.scenario_matrix import (
    ScenarioMatrix,
    entropy_pooling_pair,
    scenario_matrix,
    with_posterior,
)
from portfolio.interop.scenario_prior import ScenarioPrior
from portfolio.interop.skfolio_policy import SkfolioPolicy

__all__ = [
    "PyPortfolioOptFrames",
    "RiskfolioFrames",
    "ScenarioDistribution",
    "ScenarioMatrix",
    "ScenarioPrior",
    "SkfolioPolicy",
    "StepForecaster",
    "ThinConditioningWarning",
    "entropy_pooling_pair",
    "pyportfolioopt_frames",
    "quantstats_returns",
    "riskfolio_frames",
    "scenario_matrix",
    "with_posterior",
]
