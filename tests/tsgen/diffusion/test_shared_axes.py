"""Mixtures whose covariances share their eigenvectors take a shorter way to the same velocity."""

import pytest
import torch

from tsgen.diffusion.mixture_velocity import (
    GaussianMixture,
    MixtureLevel,
    SharedAxesLevel,
    mixture_level,
    mixture_velocity,
    mixture_velocity_at,
)


def law(n_assets, *, means, seed=0):
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(n_assets, n_assets, generator=generator, dtype=torch.float64)
    shape = a @ a.T / n_assets + 0.3 * torch.eye(n_assets)
    scales = torch.tensor([0.4, 1.0, 3.0], dtype=torch.float64)
    centres = means * torch.randn(3, n_assets, generator=generator, dtype=torch.float64)
    return GaussianMixture(torch.tensor([0.5, 0.3, 0.2]).double().log(), centres, scales[:, None, None] * shape)


def noisy(n_assets):
    return 2 * torch.randn(11, n_assets, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("means", [0.0, 0.7])
@pytest.mark.parametrize("n_assets", [1, 4])
@pytest.mark.parametrize("tau", [0.25, 1.0, 1.57])
def test_proportional_covariances_give_the_general_velocity(n_assets, means, tau):
    mixture, u = law(n_assets, means=means), noisy(n_assets)
    level = mixture_level(mixture, tau)
    assert isinstance(level, SharedAxesLevel)
    rows = mixture_velocity(u, torch.full((11, 1), tau, dtype=torch.float64), mixture)
    torch.testing.assert_close(mixture_velocity_at(u, level), rows, rtol=1e-10, atol=1e-12)


def test_other_axes_take_the_general_way():
    mixture = law(4, means=0.3)
    turned = mixture.covariances.clone()
    turned[1] = torch.diag(torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64))
    level = mixture_level(mixture._replace(covariances=turned), 0.8)
    assert isinstance(level, MixtureLevel)
    rows = mixture_velocity(
        noisy(4), torch.full((11, 1), 0.8, dtype=torch.float64), mixture._replace(covariances=turned)
    )
    torch.testing.assert_close(mixture_velocity_at(noisy(4), level), rows, rtol=1e-10, atol=1e-12)


def test_single_precision_is_enough():
    mixture = law(4, means=0.5)
    single = GaussianMixture(*(x.float() for x in mixture))
    close = mixture_velocity_at(noisy(4).float(), mixture_level(single, 0.9)).double()
    torch.testing.assert_close(close, mixture_velocity_at(noisy(4), mixture_level(mixture, 0.9)), rtol=1e-4, atol=2e-5)
