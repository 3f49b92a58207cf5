"""Closed-form velocities and conversions against independent routes."""

import numpy as np
import pytest
import torch

from tsgen.diffusion.denoising_loss import SMALLEST_TRAINING_ANGLE, noised_batch, row_losses, stratified_angles
from tsgen.diffusion.forward_noising import clean_estimate, noise_estimate, noised, score_estimate, velocity_target
from tsgen.diffusion.mixture_velocity import GaussianMixture, mixture_level, mixture_velocity, mixture_velocity_at


@pytest.fixture
def law():
    generator = torch.Generator().manual_seed(1)
    a = torch.randn(3, 4, 4, generator=generator, dtype=torch.float64)
    covariances = a @ a.transpose(1, 2) / 4 + 0.2 * torch.eye(4, dtype=torch.float64)
    means = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    return GaussianMixture(torch.log(torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)), means, covariances)


@pytest.fixture
def noisy():
    return 2 * torch.randn(9, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.mark.parametrize("tau", [0.25, 0.9, 1.5, np.pi / 2])
def test_mixture_velocity_is_the_score_of_the_noised_mixture(law, noisy, tau):
    c, s = np.cos(tau), np.sin(tau)
    components = torch.distributions.MultivariateNormal(
        c * law.means, c * c * law.covariances + s * s * torch.eye(4).double()
    )
    u = noisy.clone().requires_grad_()
    log_density = torch.logsumexp(law.log_weights + components.log_prob(u[:, None]), dim=1).sum()
    (score,) = torch.autograd.grad(log_density, u)
    velocity = mixture_velocity_at(noisy, mixture_level(law, tau))
    # score = -u - cot(tau) F, multiplied by sin to stay finite at pi/2
    torch.testing.assert_close(s * score, -s * noisy - c * velocity, atol=1e-12, rtol=1e-10)


def test_mixture_velocity_agrees_with_the_process_library(law, noisy):
    from tsgen.marketdata.known_processes import GaussianMixtureLaw

    n = len(noisy)
    other = GaussianMixtureLaw(
        weights=np.tile(law.log_weights.exp().numpy(), (n, 1)),
        means=np.tile(law.means.numpy(), (n, 1, 1)),
        covariances=np.tile(law.covariances.numpy(), (n, 1, 1, 1)),
    )
    ours = mixture_velocity_at(noisy, mixture_level(law, 0.8)).numpy()
    np.testing.assert_allclose(ours, other.velocity(noisy.numpy(), 0.8), rtol=1e-9, atol=1e-11)


def test_training_and_sampling_forms_agree(law, noisy):
    for tau in (0.25, 1.1, 1.57):
        rows = mixture_velocity(noisy, torch.full((9, 1), tau, dtype=torch.float64), law)
        torch.testing.assert_close(rows, mixture_velocity_at(noisy, mixture_level(law, tau)), atol=1e-13, rtol=1e-12)


def test_standard_normal_has_zero_velocity(noisy):
    normal = GaussianMixture(torch.zeros(1), torch.zeros(1, 4), torch.eye(4)[None])
    assert mixture_velocity_at(noisy.float(), mixture_level(normal, 0.7)).abs().max() < 1e-6


def test_conversions_are_consistent():
    generator = torch.Generator().manual_seed(5)
    clean, noise = torch.randn(50, 3, generator=generator), torch.randn(50, 3, generator=generator)
    tau = torch.linspace(0.2, 1.5, 50)[:, None]
    u, v = noised(clean, noise, tau), velocity_target(clean, noise, tau)
    # with the realised velocity in place of its mean, the estimates return the inputs
    torch.testing.assert_close(clean_estimate(u, v, tau), clean, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(noise_estimate(u, v, tau), noise, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(score_estimate(u, v, tau), -noise / torch.sin(tau), atol=1e-4, rtol=1e-4)


def test_angles_are_stratified():
    tau = stratified_angles(1000, generator=torch.Generator().manual_seed(0)).ravel().sort().values
    cells = (tau - SMALLEST_TRAINING_ANGLE) / (torch.pi / 2 - SMALLEST_TRAINING_ANGLE) * 1000
    assert torch.equal(cells.floor(), torch.arange(1000.0))


def test_exact_velocity_minimises_the_loss():
    # clean values N(0, 0.25): the loss of the exact velocity is below that of zero and of a scaled velocity
    generator = torch.Generator().manual_seed(4)
    clean = 0.5 * torch.randn(20000, 1, generator=generator)
    batch = noised_batch(clean, generator=generator)
    law = GaussianMixture(torch.zeros(1), torch.zeros(1, 1), torch.full((1, 1, 1), 0.25))
    exact = mixture_velocity(batch.noisy, batch.tau, law)
    losses = {f: float(row_losses(f * exact, batch.target).mean()) for f in (0.0, 0.8, 1.0, 1.2)}
    assert min(losses, key=losses.get) == 1.0
