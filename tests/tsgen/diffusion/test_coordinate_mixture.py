"""Velocity of the coordinate mixture against the score of its density, and its fit against a known law."""

import numpy as np
import pytest
import torch

from tsgen.diffusion.coordinate_mixture import (
    CoordinateMixture,
    coordinate_level,
    coordinate_velocity,
    standard_coordinates,
)
from tsgen.training.coordinate_anchor import fit_coordinate_mixture

LAW = CoordinateMixture(
    torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64).log(),
    torch.tensor([[0.7, 0.3], [0.5, 0.5], [0.9, 0.1]], dtype=torch.float64).log(),
    torch.tensor([[0.4, 1.2], [0.8, 2.0], [2.0, 9.0]], dtype=torch.float64),
)


def log_density(u, tau):
    """By summation over every common size, with torch.distributions."""
    c, s = np.cos(tau), np.sin(tau)
    by_size = []
    for common, own, variances in zip(*LAW, strict=True):
        deviation = (c * c * variances + s * s).sqrt()
        each = torch.logsumexp(own + torch.distributions.Normal(0.0, deviation).log_prob(u[..., None]), dim=-1)
        by_size.append(common + each.sum(dim=-1))
    return torch.logsumexp(torch.stack(by_size), dim=0)


@pytest.mark.parametrize("tau", [0.25, 0.9, 1.5])
def test_velocity_is_the_score_of_the_noised_law(tau):
    u = (2 * torch.randn(9, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).requires_grad_()
    (score,) = torch.autograd.grad(log_density(u, tau).sum(), u)
    angle = torch.tensor([[tau]], dtype=torch.float64)
    velocity = coordinate_velocity(u.detach(), coordinate_level(LAW, angle))
    # score = -u - cot(tau) F
    torch.testing.assert_close(
        np.sin(tau) * score, -np.sin(tau) * u.detach() - np.cos(tau) * velocity, rtol=1e-10, atol=1e-12
    )
    rows = coordinate_velocity(u.detach(), coordinate_level(LAW, angle.expand(9, 1)))
    torch.testing.assert_close(rows, velocity, rtol=1e-12, atol=1e-13)


def test_a_wrong_common_size_fails_the_same_test():
    u = torch.full((1, 5), 2.5, dtype=torch.float64, requires_grad=True)
    (score,) = torch.autograd.grad(log_density(u, 0.9).sum(), u)
    wrong = LAW._replace(log_common=LAW.log_common.flip(0))
    velocity = coordinate_velocity(u.detach(), coordinate_level(wrong, torch.tensor([[0.9]], dtype=torch.float64)))
    assert (np.sin(0.9) * (score + u.detach()) + np.cos(0.9) * velocity).abs().max() > 0.01


def test_standard_coordinates_have_no_velocity():
    u = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    level = coordinate_level(standard_coordinates(3), torch.tensor([[0.7]]))
    assert coordinate_velocity(u, level).abs().max() < 1e-6


def sample(n_rows, n_assets, *, rng):
    common = rng.choice(3, p=LAW.log_common.exp().numpy(), size=n_rows)
    variances = np.empty((n_rows, n_assets))
    for m in range(3):
        rows = common == m
        variances[rows] = rng.choice(LAW.variances[m], p=LAW.log_own[m].exp().numpy(), size=(rows.sum(), n_assets))
    return torch.from_numpy(rng.standard_normal((n_rows, n_assets)) * np.sqrt(variances))


def mean_log_density(law, z):
    by_size = []
    for common, own, variances in zip(*(x.double() for x in law), strict=True):
        normal = torch.distributions.Normal(torch.zeros(1, dtype=torch.float64), variances.sqrt())
        each = torch.logsumexp(own + normal.log_prob(z[..., None]), dim=-1)
        by_size.append(common + each.sum(dim=-1))
    return float(torch.logsumexp(torch.stack(by_size), dim=0).mean()) / z.shape[1]


def test_fit_finds_the_law():
    rng = np.random.default_rng(0)
    unit = LAW.log_common.exp() @ (LAW.log_own.exp() * LAW.variances).sum(dim=1)
    truth = LAW._replace(variances=LAW.variances / unit)
    z = sample(1500, 80, rng=rng) / unit.sqrt()
    fresh = sample(1500, 80, rng=rng) / unit.sqrt()
    law = fit_coordinate_mixture(z, n_components=2)
    assert float(law.log_common.exp() @ (law.log_own.exp() * law.variances).sum(dim=1)) == pytest.approx(1.0, abs=1e-5)
    # 17 numbers from 120,000 draws: the expected loss of log density is 17 / 2 / 120,000 = 7e-5
    assert mean_log_density(law, fresh) > mean_log_density(truth, fresh) - 5e-4
    assert mean_log_density(standard_coordinates(2), fresh) < mean_log_density(truth, fresh) - 0.02
