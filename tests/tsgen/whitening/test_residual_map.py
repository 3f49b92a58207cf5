"""The residual map is what it says: monotone, exact at its knots, differentiable, one period at a time."""

import numpy as np
import pytest
import torch
from scipy import stats

from tsgen.whitening.residual_map import ResidualMap


def a_map(n_assets=2, direction=None):
    source = torch.linspace(-3, 3, 13, dtype=torch.float64).repeat(n_assets + 1, 1)
    target = source + 0.2 * source**3
    along = torch.zeros(n_assets, dtype=torch.float64) if direction is None else direction
    return ResidualMap(source=source, target=target, direction=along)


def test_exact_at_knots_and_linear_between():
    found = a_map()
    values = torch.tensor([[0.5, -1.0], [0.75, 2.0]], dtype=torch.float64)
    expected = values + 0.2 * values**3
    between = 0.5 * (0.5 + 0.2 * 0.5**3 + 1.0 + 0.2)  # 0.75 lies half-way between the knots 0.5 and 1.0
    expected[1, 0] = between
    torch.testing.assert_close(found(values), expected)


def test_outermost_slope_continues():
    found = a_map()
    slope = (found.target[0, -1] - found.target[0, -2]) / 0.5
    far = found(torch.tensor([[10.0, -10.0]], dtype=torch.float64))
    torch.testing.assert_close(far[0, 0], found.target[0, -1] + 7.0 * slope)
    torch.testing.assert_close(far[0, 1], -far[0, 0])


def test_increasing_everywhere():
    values = torch.linspace(-8, 8, 2001, dtype=torch.float64)[:, None].repeat(1, 2)
    assert bool((a_map()(values).diff(dim=0) > 0).all())


def test_common_direction_moves_the_direction_alone():
    direction = torch.tensor([0.6, 0.8], dtype=torch.float64)
    by_asset, with_direction = a_map(), a_map(direction=direction)
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 2)))
    first, both = by_asset(values), with_direction(values)
    across = torch.tensor([-0.8, 0.6], dtype=torch.float64)
    torch.testing.assert_close(both @ across, first @ across)
    along = first @ direction
    expected = ResidualMap(by_asset.source[:2], by_asset.target[:2], torch.zeros(1))(along[:, None])[:, 0]
    torch.testing.assert_close(both @ direction, expected)


def test_gradient_is_the_slope():
    values = torch.tensor([[0.6, -2.9]], dtype=torch.float64, requires_grad=True)
    found = a_map()
    (gradient,) = torch.autograd.grad(found(values).sum(), values)
    slope = (found.target[0, 1:] - found.target[0, :-1]) / 0.5
    torch.testing.assert_close(gradient, torch.stack([slope[7], slope[0]])[None])


@pytest.mark.parametrize("direction", [None, torch.tensor([0.6, 0.8], dtype=torch.float64)], ids=["plain", "common"])
def test_pull_back_is_the_gradient(direction):
    found = a_map(direction=direction)
    rng = np.random.default_rng(3)
    values = torch.from_numpy(2 * rng.normal(size=(40, 2))).requires_grad_(True)
    weights = torch.from_numpy(rng.normal(size=(40, 2)))
    (gradient,) = torch.autograd.grad((found(values) * weights).sum(), values)
    torch.testing.assert_close(found.pull_back(values.detach(), weights), gradient)


def test_rows_do_not_see_each_other():
    values = torch.from_numpy(np.random.default_rng(1).normal(size=(6, 2)))
    assert torch.equal(a_map()(values)[:3], a_map()(values[:3]))


def test_gaussian_becomes_student_t():
    """Quantile to quantile: normal draws mapped to t(4) quantiles follow t(4)."""
    levels = np.concatenate([[0.001, 0.005], np.linspace(0.01, 0.99, 99), [0.995, 0.999]])
    source, target = (torch.from_numpy(np.tile(law.ppf(levels), (2, 1))) for law in (stats.norm, stats.t(4)))
    draws = torch.from_numpy(np.random.default_rng(2).normal(size=(4000, 1)))
    mapped = ResidualMap(source, target, torch.zeros(1, dtype=torch.float64))(draws).numpy().ravel()
    assert stats.kstest(mapped, stats.t(4).cdf).pvalue > 0.01
    assert stats.kstest(draws.numpy().ravel(), stats.t(4).cdf).pvalue < 1e-4  # the raw draws must fail
