"""Constraints as data: what is refused, alone and together; settings likewise."""

import pytest

from tsgen.errors import ConfigError
from tsgen.steering import EventProbability, MaxDrawdown, RiskConstraint, SteeringConfig, TerminalLoss, TerminalReturn
from tsgen.steering.risk_constraint import checked_constraints

EVENT = EventProbability(TerminalLoss(of="A", loss=0.1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("A", "==", 0.1), "functional must be one of TerminalReturn"),
        ((TerminalReturn("A"), "=", 0.1), "relation must be"),
        ((TerminalReturn("A"), "==", float("nan")), "level must be a finite number"),
        ((EVENT, "==", 1.0), "strictly between 0 and 1"),
        ((MaxDrawdown("A"), "<=", 0.0), "must be above zero"),
    ],
)
def test_unusable_constraints_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        RiskConstraint(*arguments)


def test_contradictions_are_found_before_any_work():
    low, high = RiskConstraint(MaxDrawdown("A"), "<=", 0.1), RiskConstraint(MaxDrawdown("A"), ">=", 0.2)
    with pytest.raises(ConfigError, match="contradict"):
        checked_constraints([low, high])
    corridor = [RiskConstraint(MaxDrawdown("A"), "<=", 0.2), RiskConstraint(MaxDrawdown("A"), ">=", 0.1)]
    assert len(checked_constraints(corridor)) == 2
    other = RiskConstraint(MaxDrawdown("B"), ">=", 0.2)
    assert len(checked_constraints([low, other])) == 2


def test_other_objects_are_refused():
    with pytest.raises(ConfigError, match="constraints must be RiskConstraint objects: got str"):
        checked_constraints(["MaxDrawdown"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_steps": 1}, "n_steps must be an integer of at least 2"),
        ({"n_paths": 10.0}, "n_paths must be an integer"),
        ({"learning_rate": 0.0}, "learning_rate must be a number"),
        ({"smallest_effective_share": 2.0}, "smallest_effective_share"),
        ({"control_limit": -1.0}, "control_limit"),
        ({"bound_deviations": 0.1}, "bound_deviations"),
        ({"evaluation": "mse"}, "evaluation must be"),
        ({"covariance_correction": 1}, "covariance_correction must be"),
        ({"gain_band": (1.1, 1.2)}, "gain_band must be two numbers around 1"),
    ],
)
def test_unusable_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        SteeringConfig(**settings)


def test_bounds_may_be_switched_off():
    config = SteeringConfig(bound_deviations=None, gain_band=None)
    assert config.bound_deviations is None
    assert config.gain_band is None
