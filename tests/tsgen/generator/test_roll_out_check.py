"""The rule that a network must also hold in roll-outs, in both directions."""

import numpy as np
import torch

from tsgen.generator.roll_out_check import rolls_out_as_well
from tsgen.networks.score_head import HeadShape, ScoreHead
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.whitening.volatility_fit import fit_volatility

RETURNS = 0.01 * np.random.default_rng(0).standard_normal((800, 2))
WHITENING = fit_volatility(RETURNS[:500])


class Inflated:
    """A head whose velocity has a linear bias: it inflates the variance of every innovation by exp(pi / 5)."""

    def __init__(self, head):
        self.head = head

    def context(self, past):
        return self.head.context(past)

    def prepare(self, tau):
        return self.head.prepare(tau)

    def velocity_at(self, noisy, level, context):
        return self.head.velocity_at(noisy, level, context) - 0.2 * noisy

    def to(self, device, /):
        return self


def sampler(wrap=lambda head: head):
    head = ScoreHead(HeadShape(2, 2, "none", 4, 8, 1, "silu", 0, False))
    return ConditionalSampler(head=wrap(head), whitening=WHITENING, config=SamplerConfig(n_steps=8))


def verdict(network, first=500):
    return rolls_out_as_well(network, sampler(), torch.from_numpy(RETURNS), first, 4, seed=0)


def test_an_equal_head_holds():
    same = verdict(sampler())
    assert same.holds
    assert same.difference == 0.0  # same noise, same law


def test_a_head_that_inflates_volatility_is_refused():
    assert not verdict(sampler(Inflated)).holds


def test_what_cannot_be_checked_is_not_accepted():
    assert not verdict(sampler(), first=700).holds  # five windows of twenty days
