"""Held-out losses by noise level."""

import numpy as np
import pytest
import torch

from tsgen.networks.head_shape import HeadShape
from tsgen.training.head_selection import build_head
from tsgen.training.noise_bands import N_BANDS, band_losses, worse_in_some_band
from tsgen.training.training_loop import block_losses, hold_out
from tsgen.training.training_rows import make_rows, split_rows


@pytest.fixture
def setting():
    values = np.random.default_rng(0).normal(size=(400, 8, 1)) * 1.3
    data = make_rows(torch.from_numpy(values), torch.zeros(400, 8, 0), 3)
    split = split_rows(400, 8, fraction=0.5, purge=0)
    held = hold_out(data, split.validation, split.validation_block, seed=0)
    head = build_head(HeadShape(1, 0, "none", 3, 8, 1, "silu", 0, False), data, split.train, seed=0)
    return data, held, head


def test_bands_average_to_the_loss_over_all_levels(setting):
    data, held, head = setting
    bands = band_losses(head, data, held)
    assert bands.shape == (N_BANDS, 200)
    # every row has its own cell of angles, so thirds of the angles have a third of the rows each
    assert float(bands.mean()) == pytest.approx(float(block_losses(head, data, held).mean()), rel=1e-3)


def test_bands_know_where_the_loss_is(setting):
    data, held, head = setting
    # F = 0 leaves E v^2 = cos^2 + 1.69 sin^2: it rises with the angle; averages of sin^2 over thirds of [0.2, pi/2]
    edges = np.linspace(0.2, np.pi / 2, N_BANDS + 1)
    half = (np.sin(2 * edges[1:]) - np.sin(2 * edges[:-1])) / (4 * np.diff(edges))
    expected = 1.0 + 0.69 * (0.5 - half)
    # 8,500 draws a band, their squares have a relative standard deviation of 1.4: errors of 1.5 % each
    assert band_losses(head, data, held).mean(dim=1).numpy() == pytest.approx(expected, rel=0.06)


def test_a_gain_at_one_level_does_not_pay_for_a_loss_at_another():
    generator = torch.Generator().manual_seed(1)
    floor = 1.0 + 0.1 * torch.randn(N_BANDS, 100, generator=generator)
    change = torch.tensor([-0.30, 0.0, 0.10])[:, None] + 0.1 * torch.randn(N_BANDS, 100, generator=generator)
    candidate = floor + change
    assert candidate.mean() < floor.mean()  # the mean over levels would accept it
    assert worse_in_some_band(candidate, floor)
    assert not worse_in_some_band(floor - 0.1 * torch.rand(N_BANDS, 100, generator=generator), floor)
    assert not worse_in_some_band(floor, floor)
