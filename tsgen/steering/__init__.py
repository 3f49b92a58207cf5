"""Steering: bring the law of a generator's paths to risk constraints, with a certificate.

`steer` takes a fitted generator (as a duck: see `SteerableGenerator`) and `RiskConstraint` objects and returns a
`SteeredGenerator`. Beside `tsgen.evaluation` in the layers, below `tsgen.generator`.
"""

from tsgen.reweighting import BarrierHit, DrawdownBeyond, TerminalLoss
from tsgen.steering.certificate import SteeringCertificate
from tsgen.steering.errors import SteeringError, SteeringWarning
from tsgen.steering.risk_constraint import RiskConstraint
from tsgen.steering.risk_functionals import (
    EventProbability,
    ExpectedShortfall,
    MaxDrawdown,
    PathMean,
    RealisedVolatility,
    TerminalReturn,
)
from tsgen.steering.steer import steer
from tsgen.steering.steered_generator import SteeredGenerator
from tsgen.steering.steering_config import SteeringConfig
from tsgen.steering.steering_reference import SteerableGenerator, SteeringReference
from tsgen.steering.storage import load_steered

__all__ = [
    "BarrierHit",
    "DrawdownBeyond",
    "EventProbability",
    "ExpectedShortfall",
    "MaxDrawdown",
    "PathMean",
    "RealisedVolatility",
    "RiskConstraint",
    "SteerableGenerator",
    "SteeredGenerator",
    "SteeringCertificate",
    "SteeringConfig",
    "SteeringError",
    "SteeringReference",
    "SteeringWarning",
    "TerminalLoss",
    "TerminalReturn",
    "load_steered",
    "steer",
]
