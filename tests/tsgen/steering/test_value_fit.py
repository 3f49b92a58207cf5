"""Policy evaluation finds the h-function it should; gains find the scale they should."""

import math

import numpy as np
import pytest
import torch

from tsgen.errors import TrainingError
from tsgen.steering import SteeringConfig
from tsgen.steering.level_gains import updated_gains
from tsgen.steering.path_tape import PathTape
from tsgen.steering.value_fit import fit_value, rewards_to_go
from tsgen.steering.value_network import ValueNetwork


def tape_of(features, increments):
    """Tape with the given features (path, transition, feature) and increments (path, transition)."""
    n, t, _ = features.shape
    none = torch.zeros(n, t, 0)
    flat = torch.zeros(n, t)
    per_path = torch.zeros(n, dtype=torch.float64)
    ratio = increments.double().sum(dim=1)
    return PathTape(
        torch.zeros(n, 1, 1), ratio, per_path, per_path, per_path, increments, flat, flat, features, none, none
    )


def test_rewards_to_go_count_the_future_only():
    tape = tape_of(torch.zeros(1, 3, 1), torch.tensor([[1.0, 10.0, 100.0]]))
    assert rewards_to_go(tape, torch.tensor([1000.0])).tolist() == [[1111.0, 1110.0, 1100.0]]


@pytest.mark.parametrize("evaluation", ["logistic", "mean_square"])
def test_the_fit_finds_what_its_loss_is_minimised_by(evaluation):
    """G = a x + noise of variance 1: log E[e^G | x] = a x + 1/2 for the logistic loss, E[G | x] = a x for the other."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(40_000, 1, 1, generator=generator) * 2 - 1
    target = 0.8 * x[:, 0, 0] + torch.randn(40_000, generator=generator)
    tape = tape_of(x, torch.zeros(40_000, 1))
    network = ValueNetwork.initialised(x[:, 0], 16, seed=0)
    config = SteeringConfig(evaluation=evaluation, n_fit_steps=400, learning_rate=1e-2)
    fitted = fit_value(network, [tape], [target], (), (), config=config, iteration=0, seed=0)
    grid = torch.linspace(-0.9, 0.9, 7)[:, None]
    expected = 0.8 * grid[:, 0] + (0.5 if evaluation == "logistic" else 0.0)
    # 40,000 targets of spread 1.3 to 2.2 in seven cells of information: errors of about 0.03
    torch.testing.assert_close(fitted(grid), expected, atol=0.12, rtol=0)
    assert float(network(grid).detach().abs().max()) == 0.0  # the given network is left alone


def test_a_runaway_fit_is_an_error():
    x = torch.zeros(50, 1, 1)
    network = ValueNetwork.initialised(torch.randn(50, 1, generator=torch.Generator().manual_seed(0)), 4, seed=0)
    tape, target = tape_of(x, torch.zeros(50, 1)), torch.full((50,), math.nan)
    with pytest.raises(TrainingError, match="the value loss became nan"):
        fit_value(network, [tape], [target], (), (), config=SteeringConfig(n_fit_steps=2), iteration=0, seed=0)


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.4])
def test_gains_find_the_scale_of_an_under_or_overshooting_control(scale):
    """Noise whose tilted mean is ``scale`` times the control: the regression gives the scale back, half-way."""
    generator = torch.Generator().manual_seed(1)
    n, nodes = 20_000, 3
    control = torch.rand(n, 2 * nodes, generator=generator)
    noise = scale * control + torch.randn(n, 2 * nodes, generator=generator)  # v + W under the exact tilt
    tape = tape_of(torch.zeros(n, 2 * nodes, 1), torch.zeros(n, 2 * nodes))
    tape = tape._replace(shift_on_noise=control * noise, shift_square=control.square())
    gains = updated_gains(tape, np.full(n, 1 / n), torch.ones(nodes), nodes)
    np.testing.assert_allclose(gains.numpy(), 0.5 + 0.5 * scale, atol=0.02)  # 4 standard errors of the regression


def test_without_control_gains_stay():
    tape = tape_of(torch.zeros(10, 3, 1), torch.zeros(10, 3))
    gains = torch.tensor([1.0, 2.0, 0.7])
    assert torch.equal(updated_gains(tape, np.full(10, 0.1), gains, 3), gains)
