"""The sampling form on preallocated buffers: equal to the recorded form, and never used where gradients flow."""

import pytest
import torch

from tsgen.networks.history_encoder import Past
from tsgen.networks.score_head import HeadShape, ScoreHead
from tsgen.torch_streams import module_initialisation


def make_head(context, activation="silu"):
    with module_initialisation(0, "test"):
        head = ScoreHead(HeadShape(2, 3, context, 4, 16, 2, activation, 0, True))
        torch.nn.init.normal_(head.out.weight, std=0.3)
        torch.nn.init.normal_(head.out.bias, std=0.3)
    return head


def draws(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    past = Past(torch.randn(n, 4, 2, generator=generator), torch.ones(n, 4), torch.randn(n, 3, generator=generator))
    return past, torch.randn(n, 2, generator=generator)


@pytest.mark.parametrize("context", ["none", "features", "window"])
@pytest.mark.parametrize("activation", ["silu", "relu"])
def test_buffers_change_nothing_but_rounding(context, activation):
    head, (past, noisy) = make_head(context, activation), draws(7)
    level = head.prepare(0.9)
    with torch.no_grad():
        fast = head.velocity_at(noisy, level, head.context(past))
    recorded = head.velocity_at(noisy, level, head.context(past))  # gradients are on: plain form
    torch.testing.assert_close(fast, recorded.detach(), atol=2e-6, rtol=2e-6)  # float32 rounding of sums of 16 terms


def test_one_context_serves_all_levels_in_any_order():
    head, (past, noisy) = make_head("window"), draws(7)
    levels = [head.prepare(tau) for tau in (0.4, 1.2)]
    with torch.no_grad():
        context = head.context(past)
        first = head.velocity_at(noisy, levels[0], context)
        kept = first.clone()
        head.velocity_at(2 * noisy, levels[1], context)
        assert torch.equal(first, kept)  # results do not live in the buffers
        assert torch.equal(head.velocity_at(noisy, levels[0], context), kept)


def test_gradients_flow_through_a_context_made_without_them():
    head, (past, noisy) = make_head("features"), draws(5)
    with torch.no_grad():
        context = head.context(past)
    u = noisy.requires_grad_()
    (gradient,) = torch.autograd.grad(head.velocity_at(u, head.prepare(0.8), context).square().sum(), u)
    assert gradient.abs().min() > 0


def test_another_batch_than_the_contexts_is_evaluated_in_the_plain_form():
    head, (past, noisy) = make_head("none"), draws(7)
    level = head.prepare(0.8)
    with torch.no_grad():
        whole = head.velocity_at(noisy, level, head.context(past))
        part = head.velocity_at(noisy[:3], level, head.context(past))
        alone = head.velocity_at(noisy, level, None)
    torch.testing.assert_close(part, whole[:3], atol=2e-6, rtol=2e-6)
    torch.testing.assert_close(alone, whole, atol=2e-6, rtol=2e-6)
