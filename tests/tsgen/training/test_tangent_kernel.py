"""Tangent kernels of heads: torch.func against autograd, and the exact kernel of infinite width."""

import pytest
import torch

from tsgen.errors import ConfigError, DataError
from tsgen.networks.history_encoder import Past
from tsgen.networks.score_head import HeadShape, ScoreHead
from tsgen.torch_streams import module_initialisation
from tsgen.training.kernel_features import gradient_features, kernel_features
from tsgen.training.tangent_kernel import (
    HeadInputs,
    gaussian_start,
    infinite_width_kernel,
    is_two_layer_relu,
    output_signs,
    tangent_gradients,
    weights_with_gradient,
)


def _inputs(n, n_assets, n_features=2, lookback=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    past = Past(
        torch.randn(n, lookback, n_assets, generator=g),
        torch.ones(n, lookback),
        torch.randn(n, n_features, generator=g),
    )
    return HeadInputs(torch.randn(n, n_assets, generator=g), 0.3 + torch.rand(n, 1, generator=g), past)


def _head(shape, seed=0):
    with module_initialisation(seed, "score head"):
        return ScoreHead(shape)


def _two_layer(n_assets, width):
    return HeadShape(n_assets, 0, "none", 1, width, 0, "relu", 0, True)


@pytest.mark.parametrize("context", ["none", "features", "window"])
def test_gradients_are_those_of_autograd(context):
    head = _head(HeadShape(2, 2, context, 3, 8, 1, "silu", 0, True))
    with torch.no_grad():  # away from the start every layer has a gradient
        head.out.weight.fill_(0.3)
    inputs, signs = _inputs(4, 2), torch.tensor([1.0, -1.0])
    found = tangent_gradients(head, inputs, signs=signs)
    expected = []
    for i in range(4):
        value = head(*inputs.take(torch.tensor([i])))[0] @ signs / 2**0.5
        parts = torch.autograd.grad(value, list(head.parameters()), allow_unused=True, materialize_grads=True)
        expected.append(torch.cat([part.ravel() for part in parts]))
    expected = torch.stack(expected)
    assert torch.allclose(found @ found.T, expected @ expected.T, rtol=1e-4, atol=1e-6)


def test_at_the_start_signs_do_not_matter():
    head, inputs = _head(HeadShape(3, 2, "window", 3, 8, 1, "silu", 0, True)), _inputs(6, 3)
    one, other = (tangent_gradients(head, inputs, signs=torch.tensor(s)) for s in ([1.0, 1.0, 1.0], [1.0, -1.0, 1.0]))
    assert torch.allclose(one @ one.T, other @ other.T, rtol=1e-5)


@pytest.mark.parametrize("n_assets", [1, 3])
def test_exact_kernel_is_the_limit_of_wide_heads(n_assets):
    width = 40_000
    shape = _two_layer(n_assets, width)
    head = _head(shape)
    gaussian_start(head, seed=1)
    inputs = _inputs(6, n_assets, n_features=0)
    # pairs of units cancel up to the order in which float32 sums 40,000 terms of size 1
    assert head(*inputs).abs().max() < 1e-3
    gradients = tangent_gradients(head, inputs, signs=output_signs(n_assets, seed=0))
    empirical, exact = (gradients @ gradients.T).double() / width, infinite_width_kernel(shape)(inputs, inputs) / width
    # an average over width / 2 independent pairs, each term below four times its mean here
    assert (empirical - exact).abs().max() < 5 * 2 * float(exact.max()) / (width / 2) ** 0.5
    usual = _head(shape)  # the wrong start: output layer zero, only its own part of the kernel
    wrong = tangent_gradients(usual, inputs, signs=output_signs(n_assets, seed=0))
    assert ((wrong @ wrong.T).double() / width - exact).abs().max() > 0.2 * float(exact.max())


@pytest.mark.parametrize(
    "change",
    [{"n_blocks": 1}, {"activation": "silu"}, {"context": "window"}, {"learned": False}, {"width": 7}],
)
def test_exact_kernel_of_other_heads_is_refused(change):
    shape = _two_layer(1, 8)._replace(**change)
    assert not is_two_layer_relu(shape)
    with pytest.raises(ConfigError, match="the infinite-width kernel is known for two-layer ReLU heads only"):
        infinite_width_kernel(shape)
    with pytest.raises(ConfigError, match="Use the empirical tangent kernel"):
        gaussian_start(_head(shape), seed=0)


def test_features_reproduce_the_kernel_on_the_landmarks():
    inputs = _inputs(40, 2, n_features=0)
    kernel = infinite_width_kernel(_two_layer(2, 16))
    features = kernel_features(kernel, inputs)(inputs)
    assert torch.allclose(features @ features.T, kernel(inputs, inputs), rtol=1e-6, atol=1e-6)
    head = _head(HeadShape(2, 0, "none", 1, 8, 1, "silu", 0, True))
    signs = output_signs(2, seed=0)
    gradients = tangent_gradients(head, inputs, signs=signs)
    empirical = gradient_features(head, inputs, signs=signs)(inputs)
    # directions below 1e-7 of the largest eigenvalue are dropped
    assert torch.allclose(empirical @ empirical.T, (gradients @ gradients.T).double(), rtol=1e-3, atol=1e-5)


def test_features_of_few_landmarks_never_exceed_the_kernel():
    inputs, kernel = _inputs(60, 1, n_features=0), infinite_width_kernel(_two_layer(1, 16))
    features = kernel_features(kernel, inputs.take(torch.arange(10)))(inputs)
    left = torch.linalg.eigvalsh(kernel(inputs, inputs) - features @ features.T)
    assert left.min() > -1e-6 * float(left.max() + 1.0)  # a projection: what is left is positive semidefinite


def test_only_the_output_layer_has_a_gradient_at_the_start():
    head, inputs = _head(HeadShape(2, 2, "window", 3, 8, 1, "silu", 0, True)), _inputs(5, 2)
    assert weights_with_gradient(head, inputs, signs=torch.ones(2)) == ("out.weight", "out.bias")
    with torch.no_grad():
        head.out.weight.fill_(0.3)
    assert len(weights_with_gradient(head, inputs, signs=torch.ones(2))) == len(list(head.parameters()))


def test_a_head_without_network_has_no_features():
    with pytest.raises(DataError, match="no weight of the head moves its output"):
        gradient_features(_head(HeadShape(2, 0, "none", 1, 8, 1, "silu", 0, False)), _inputs(5, 2), signs=torch.ones(2))


def test_a_vanishing_kernel_is_refused():
    with pytest.raises(DataError, match="tangent kernel is zero or not finite"):
        kernel_features(lambda a, b: torch.zeros(len(a.noisy), len(b.noisy)), _inputs(5, 1))
