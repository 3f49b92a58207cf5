"""Synthetic financial paths you may decide on.

An adapted sequential diffusion generator of return scenarios, the tools to judge it, and (in the
sister package `portfolio`) portfolios from its scenarios. Names load lazily: ``import tsgen`` is
quick and does not import torch.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsgen import baselines as baselines
    from tsgen import reweighting as reweighting
    from tsgen.evaluation.evaluation_config import EvaluationConfig as EvaluationConfig
    from tsgen.evaluation.model_judgement import evaluate as evaluate
    from tsgen.evaluation.scorecard import Scorecard as Scorecard
    from tsgen.generator import AdaptedDiffusionGenerator as AdaptedDiffusionGenerator
    from tsgen.generator import GeneratorConfig as GeneratorConfig
    from tsgen.generator import fit_generator as fit_generator
    from tsgen.generator import load_generator as load_generator
    from tsgen.marketdata import ReturnPanel as ReturnPanel
    from tsgen.marketdata import list_datasets as list_datasets
    from tsgen.marketdata import load_returns as load_returns
    from tsgen.moment_matching import match_moments as match_moments
    from tsgen.reweighting.pooling import entropy_pooling as entropy_pooling
    from tsgen.scenario_set import ScenarioSet as ScenarioSet
    from tsgen.steering import BarrierHit as BarrierHit
    from tsgen.steering import DrawdownBeyond as DrawdownBeyond
    from tsgen.steering import EventProbability as EventProbability
    from tsgen.steering import ExpectedShortfall as ExpectedShortfall
    from tsgen.steering import MaxDrawdown as MaxDrawdown
    from tsgen.steering import PathMean as PathMean
    from tsgen.steering import RealisedVolatility as RealisedVolatility
    from tsgen.steering import RiskConstraint as RiskConstraint
    from tsgen.steering import SteeredGenerator as SteeredGenerator
    from tsgen.steering import SteeringConfig as SteeringConfig
    from tsgen.steering import TerminalLoss as TerminalLoss
    from tsgen.steering import TerminalReturn as TerminalReturn
    from tsgen.steering import load_steered as load_steered
    from tsgen.steering import steer as steer

_HOME = {
    "AdaptedDiffusionGenerator": "tsgen.generator",
    "BarrierHit": "tsgen.steering",
    "DrawdownBeyond": "tsgen.steering",
    "EvaluationConfig": "tsgen.evaluation.evaluation_config",
    "EventProbability": "tsgen.steering",
    "ExpectedShortfall": "tsgen.steering",
    "GeneratorConfig": "tsgen.generator",
    "MaxDrawdown": "tsgen.steering",
    "PathMean": "tsgen.steering",
    "RealisedVolatility": "tsgen.steering",
    "ReturnPanel": "tsgen.marketdata",
    "RiskConstraint": "tsgen.steering",
    "ScenarioSet": "tsgen.scenario_set",
    "Scorecard": "tsgen.evaluation.scorecard",
    "SteeredGenerator": "tsgen.steering",
    "SteeringConfig": "tsgen.steering",
    "TerminalLoss": "tsgen.steering",
    "TerminalReturn": "tsgen.steering",
    "entropy_pooling": "tsgen.reweighting",
    "evaluate": "tsgen.evaluation.model_judgement",
    "fit_generator": "tsgen.generator",
    "list_datasets": "tsgen.marketdata",
    "load_generator": "tsgen.generator",
    "load_returns": "tsgen.marketdata",
    "load_steered": "tsgen.steering",
    "match_moments": "tsgen.moment_matching",
    "steer": "tsgen.steering",
}

__all__ = [
    "AdaptedDiffusionGenerator",
    "BarrierHit",
    "DrawdownBeyond",
    "EvaluationConfig",
    "EventProbability",
    "ExpectedShortfall",
    "GeneratorConfig",
    "MaxDrawdown",
    "PathMean",
    "RealisedVolatility",
    "ReturnPanel",
    "RiskConstraint",
    "ScenarioSet",
    "Scorecard",
    "SteeredGenerator",
    "SteeringConfig",
    "TerminalLoss",
    "TerminalReturn",
    "baselines",
    "entropy_pooling",
    "evaluate",
    "fit_generator",
    "list_datasets",
    "load_generator",
    "load_returns",
    "load_steered",
    "match_moments",
    "reweighting",
    "steer",
]

try:
    __version__ = version("tsgen-toolkit")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name in {"baselines", "reweighting"}:
        return import_module(f"tsgen.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'tsgen' has no attribute {name!r}; public names are {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
