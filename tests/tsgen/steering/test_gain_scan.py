"""The scan of gains on biases that are known functions of the gains."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tsgen.steering import SteeringConfig, gain_scan
from tsgen.steering.bound_statistic import BoundedMean
from tsgen.steering.control_policy import ControlPolicy
from tsgen.steering.value_network import ValueNetwork

ERROR = 0.005


def policy_with(*multipliers):
    own = BoundedMean(title="", relation="==", level=0.0, centre=0.0, unit=1.0, lower=-5.0, upper=5.0)
    return ControlPolicy(
        statistics=(own,) * len(multipliers),
        multipliers=multipliers,
        network=ValueNetwork.initialised(torch.eye(3), 4, seed=0),
        level_gains=torch.ones(2),
        gains=(1.0,) * len(multipliers),
    )


def scanned(monkeypatch, bias_of, *multipliers, **settings):
    """Result of the scan and the gains that were tried."""
    tried = []

    def measured(chain, policy, config, binding, gains, seed):
        tried.append(gains.copy())
        bias = np.atleast_1d(bias_of(gains))
        return gain_scan._Tried(gains, bias, np.full(len(bias), ERROR))

    monkeypatch.setattr(gain_scan, "_measured", measured)
    config = replace(SteeringConfig(), **settings)
    return gain_scan.scanned_gains(None, policy_with(*multipliers), config, seed=0), tried


def test_one_gain_is_found_by_secants(monkeypatch):
    found, tried = scanned(monkeypatch, lambda g: 0.25 - 3.0 * (g - 1.0), -1.0)
    assert found.gains[0] == pytest.approx(1.0 + 0.25 / 3.0, abs=1e-6)
    assert len(tried) == 3


def test_two_constraints_get_a_gain_each(monkeypatch):
    """As measured with a terminal return and a volatility: no common gain removes both biases."""
    slopes = np.array([[-1.2, -0.3], [-0.4, 2.2]])
    start = np.array([0.07, -0.40])

    def bias_of(gains):
        return start + slopes @ (gains - 1.0)

    found, tried = scanned(monkeypatch, bias_of, -0.35, 0.7)
    assert np.abs(bias_of(np.array(found.gains))).max() < 0.04
    assert len(tried) <= 4
    together = min(np.abs(bias_of(np.full(2, g))).max() for g in np.linspace(0.85, 1.4, 551))
    assert together > 0.1


def test_gains_stay_in_their_band_and_small_biases_stay_alone(monkeypatch):
    found, _ = scanned(monkeypatch, lambda g: 2.0 - (g - 1.0), -1.0, gain_band=(0.95, 1.1))
    assert found.gains == (1.1,)
    found, tried = scanned(monkeypatch, lambda g: 0.039 + 0.0 * g, -1.0)
    assert (found.gains, len(tried)) == ((1.0,), 1)


def test_what_makes_it_worse_is_not_kept(monkeypatch):
    found, tried = scanned(monkeypatch, lambda g: 0.2 + 5.0 * np.abs(g - 1.0), -1.0)
    assert len(tried) > 1
    assert found.gains == (1.0,)


def test_constraints_that_do_not_bind_keep_their_gain(monkeypatch):
    found, tried = scanned(monkeypatch, lambda g: 0.2 - 2.0 * (g - 1.0), -1.0, 0.0)
    assert found.gains == (pytest.approx(1.1), 1.0)
    assert all(len(g) == 1 for g in tried)
    assert found.gain == pytest.approx(1.1)
    assert found.aimed == (-1.0, 0.0)


def test_the_control_follows_each_multiplier_with_its_own_gain():
    policy = replace(policy_with(-0.4, 0.8), gains=(1.0, 1.2))
    assert policy.gain == pytest.approx(1.1)
    assert np.array(policy.aimed) * policy.gain == pytest.approx([-0.4, 0.96])
