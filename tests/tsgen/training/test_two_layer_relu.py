"""Closed-form kernels of two-layer ReLU networks against Monte Carlo over weights."""

import pytest
import torch

from tsgen.errors import ConfigError, ShapeError
from tsgen.training.two_layer_relu import TwoLayerReluNetwork, arc_cosine_kernel, two_layer_relu_kernel


def _inputs(n=5, d=3, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_both_kernels_are_the_expectations_they_claim_to_be():
    x, n_draws = _inputs(), 400_000
    weights = torch.randn(n_draws, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    product = x @ weights.T
    hidden, active = product.clamp_min(0.0), (product > 0).double()
    largest = float(x.square().sum(dim=1).max())
    # five standard errors; relu products have a standard deviation below 1.6 |x|^2 (fourth moment of a half normal)
    assert torch.allclose(arc_cosine_kernel(x, x), hidden @ hidden.T / n_draws, atol=5 * 1.6 * largest / n_draws**0.5)
    both = active @ active.T / n_draws
    assert torch.allclose(two_layer_relu_kernel(x, x), (x @ x.T) * both, atol=5 * 0.5 * largest / n_draws**0.5)


def test_kernel_of_a_wide_network_is_the_closed_form():
    x, width = _inputs(), 100_000
    network = TwoLayerReluNetwork(3, 1, width, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    gradients = []
    for row in x:
        (gradient,) = torch.autograd.grad(network(row[None])[0, 0], network.weights)
        gradients.append(gradient.ravel())
    empirical = torch.stack(gradients) @ torch.stack(gradients).T
    # units come in pairs: width / 2 independent terms of size at most |x|^2
    bound = 5 * float(x.square().sum(dim=1).max()) * 0.5 / (width / 2) ** 0.5
    assert torch.allclose(empirical, two_layer_relu_kernel(x, x), atol=bound)
    assert not torch.allclose(empirical, arc_cosine_kernel(x, x), atol=bound)  # the kernel of the other layer


def test_network_starts_at_zero_for_several_outputs():
    network = TwoLayerReluNetwork(3, 2, 64, generator=torch.Generator().manual_seed(0))
    assert network(_inputs().float()).abs().max() == 0.0


@pytest.mark.parametrize("width", [0, 7])
def test_width_must_come_in_pairs(width):
    with pytest.raises(ConfigError, match="width must be a positive even number"):
        TwoLayerReluNetwork(3, 1, width, generator=torch.Generator())


@pytest.mark.parametrize("kernel", [two_layer_relu_kernel, arc_cosine_kernel])
def test_inputs_of_different_sizes_are_refused(kernel):
    with pytest.raises(ShapeError, match="a kernel compares rows of inputs of one size"):
        kernel(torch.ones(2, 3), torch.ones(2, 4))
