"""Velocity of a mixture that differs from row to row, against the exact law of a process and a plain mixture."""

import numpy as np
import pytest
import torch

from tsgen.diffusion.mixture_velocity import GaussianMixture, mixture_velocity
from tsgen.diffusion.regime_velocity import (
    RegimeLaw,
    pack_regimes,
    regime_axes,
    regime_log_density,
    regime_velocity,
    unpack_regimes,
)
from tsgen.marketdata.known_processes import GaussianMixtureLaw


def _case(n_rows=40, n_regimes=3, n_assets=2, seed=0):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_regimes, n_assets, n_assets))
    shapes = factors @ factors.transpose(0, 2, 1) + 0.2 * np.eye(n_assets)
    weights = rng.dirichlet(np.ones(n_regimes), size=n_rows)
    scales = np.exp(0.5 * rng.normal(size=(n_rows, n_regimes)))
    means = rng.normal(size=(n_rows, n_regimes, n_assets))
    law = RegimeLaw(*(torch.from_numpy(x) for x in (np.log(weights), np.log(scales), means)))
    exact = GaussianMixtureLaw(weights, means, scales[:, :, None, None] ** 2 * shapes)
    return law, torch.from_numpy(shapes), exact, torch.from_numpy(2 * rng.normal(size=(n_rows, n_assets)))


@pytest.mark.parametrize("tau", [0.2, 0.9, 1.5])
def test_velocity_and_density_are_those_of_the_exact_law(tau):
    law, shapes, exact, u = _case()
    cosine, sine = (f(torch.full((1, 1), tau, dtype=torch.float64)) for f in (torch.cos, torch.sin))
    own = regime_velocity(u, cosine, sine, law, regime_axes(shapes)).numpy()
    assert own == pytest.approx(exact.velocity(u.numpy(), tau), abs=1e-10)  # float64 rounding
    density = regime_log_density(u, law, regime_axes(shapes)).numpy()
    assert density == pytest.approx(exact.log_density(u.numpy()), abs=1e-10)


def test_a_past_that_says_nothing_gives_the_plain_mixture():
    _, shapes, _, u = _case()
    weights = torch.tensor([0.5, 0.3, 0.2]).double().log()
    means = torch.tensor([[0.3, -1.0], [0.0, 2.0], [1.5, 0.1]]).double()
    law = RegimeLaw(weights.expand(40, 3), torch.zeros(40, 3).double(), means.expand(40, 3, 2))
    tau = torch.full((40, 1), 0.7, dtype=torch.float64)
    own = regime_velocity(u, torch.cos(tau), torch.sin(tau), law, regime_axes(shapes))
    torch.testing.assert_close(own, mixture_velocity(u, tau, GaussianMixture(weights, means, shapes)))


def test_packing_is_reversible():
    law, *_ = _case()
    packed = pack_regimes(law)
    assert packed.shape == (40, 3 * (2 + 2))
    for one, two in zip(law, unpack_regimes(packed, 3), strict=True):
        assert torch.equal(one, two)
