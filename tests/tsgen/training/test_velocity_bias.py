"""The guard against a linear bias of the velocity: found where it is, silent where it is not, right in effect."""

import numpy as np
import pytest
import torch

from tsgen.diffusion.angle_grid import deterministic_angles
from tsgen.diffusion.deterministic_scheme import deterministic_pass, deterministic_plan
from tsgen.networks.history_encoder import Past
from tsgen.networks.score_head import HeadShape, ScoreHead
from tsgen.networks.velocity_guard import N_GUARD_LEVELS, VelocityGuard, guard_angles
from tsgen.training.training_rows import make_rows
from tsgen.training.velocity_bias import guard_head, velocity_bias

SHAPE = HeadShape(1, 0, "none", 2, 8, 1, "silu", 0, learned=False)


def _rows(deviation, n=40_000):
    z = deviation * torch.randn(n // 8, 8, 1, generator=torch.Generator().manual_seed(0))
    return make_rows(z, torch.zeros(n // 8, 8, 0), 2)


def _generated_variance(head, n=200_000):
    plan = deterministic_plan(deterministic_angles(16))
    levels = [head.prepare(float(tau)) for tau in plan.angles]
    past = Past(torch.zeros(n, 2, 1), torch.ones(n, 2), torch.zeros(n, 0))
    context = head.context(past)
    noise = torch.randn(n, 1, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return float(deterministic_pass(lambda u, k: head.velocity_at(u, levels[k], context), noise, plan).var())


@pytest.mark.parametrize("variance", [0.8, 1.2])
def test_a_wrong_variance_is_found_and_removed(variance):
    data = _rows(variance**0.5)
    head = ScoreHead(SHAPE)
    bias = velocity_bias(head, data, torch.arange(data.n_rows), seed=0)
    tau = guard_angles().double()
    sine, cosine = torch.sin(tau), torch.cos(tau)
    exact = sine * cosine * (1 - variance) / (cosine**2 * variance + sine**2)
    assert bool(((bias.slopes[:, 0] - exact).abs() < 5 * bias.errors[:, 0]).all())
    assert _generated_variance(head) == pytest.approx(1.0, abs=0.02)  # unguarded: the bias is in the law
    guarded = guard_head(head, data, torch.arange(data.n_rows), seed=0)
    assert guarded.shape.guarded
    # table of eight angles, linear in between: a tenth of the bias may stay, plus five standard errors
    assert _generated_variance(guarded) == pytest.approx(variance, abs=0.02 + 5 * variance * np.sqrt(2 / 40_000))


def test_a_right_velocity_is_left_alone():
    data = _rows(1.0)
    head = guard_head(ScoreHead(SHAPE), data, torch.arange(data.n_rows), seed=0)
    assert head.guard is None
    assert not head.shape.guarded


def test_guard_interpolates_and_is_stored():
    slopes = torch.arange(float(N_GUARD_LEVELS))[:, None]
    guard, angles = VelocityGuard(slopes), guard_angles()
    middle = (angles[2:3] + angles[3:4]) / 2
    asked = torch.cat([torch.tensor([0.0]), angles[1:2], middle, torch.tensor([1.57])])[:, None]
    torch.testing.assert_close(guard.at(asked)[:, 0], torch.tensor([0.0, 1.0, 2.5, N_GUARD_LEVELS - 1.0]))
    head = ScoreHead(SHAPE._replace(guarded=True))
    head.load_state_dict({**head.state_dict(), "guard.slopes": slopes})
    noisy, tau = torch.ones(1, 1), angles[4].reshape(1, 1)
    past = Past(torch.zeros(1, 2, 1), torch.ones(1, 2), torch.zeros(1, 0))
    assert head(noisy, tau, past).item() == pytest.approx(4.0, abs=1e-4)
    assert head.velocity_at(noisy, head.prepare(tau.item()), None).item() == pytest.approx(4.0, abs=1e-4)
