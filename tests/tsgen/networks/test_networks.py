"""Score head and history encoder: anchor at the start, truncation, one function in two forms."""

import pytest
import torch

from tsgen.diffusion.mixture_velocity import GaussianMixture, mixture_velocity
from tsgen.networks.history_encoder import HistoryEncoder, Past
from tsgen.networks.score_head import HeadShape, ScoreHead
from tsgen.torch_streams import module_initialisation

MIXTURE = GaussianMixture(
    torch.log(torch.tensor([0.7, 0.3])),
    torch.tensor([[0.0, 0.1], [0.0, -0.2]]),
    torch.eye(2) * torch.tensor([0.5, 2.0])[:, None, None],
)


def make_head(context="window", activation="silu", n_components=2, learned=True, lookback=4):
    shape = HeadShape(2, 3, context, lookback, 16, 2, activation, n_components, learned)
    with module_initialisation(0, "test"):
        head = ScoreHead(shape, MIXTURE if n_components else None)
        if learned:
            torch.nn.init.normal_(head.out.weight, std=0.3)
    return head


def make_past(n=5, lookback=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Past(
        torch.randn(n, lookback, 2, generator=generator),
        torch.ones(n, lookback),
        torch.randn(n, 3, generator=generator),
    )


@pytest.mark.parametrize("context", ["none", "features", "window"])
@pytest.mark.parametrize("activation", ["silu", "relu"])
@pytest.mark.parametrize("n_components", [0, 2])
def test_sampling_form_equals_training_form(context, activation, n_components):
    head, past = make_head(context, activation, n_components), make_past()
    noisy = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    for tau in (0.3, 1.0, 1.57):
        with torch.no_grad():
            prepared = head.velocity_at(noisy, head.prepare(tau), head.context(past))
            direct = head(noisy, torch.full((5, 1), tau), past)
        torch.testing.assert_close(prepared, direct, atol=1e-5, rtol=1e-5)  # float32 rounding


def test_an_untrained_head_is_its_anchor():
    shape = HeadShape(2, 0, "none", 0, 16, 2, "silu", 2, True)
    with module_initialisation(0, "test"):
        head = ScoreHead(shape, MIXTURE)
    noisy, tau = torch.randn(6, 2, generator=torch.Generator().manual_seed(1)), torch.linspace(0.3, 1.5, 6)[:, None]
    past = Past(torch.zeros(6, 0, 2), torch.zeros(6, 0), torch.zeros(6, 0))
    torch.testing.assert_close(head(noisy, tau, past), mixture_velocity(noisy, tau, MIXTURE))


def test_nothing_older_than_the_lookback_has_an_effect():
    encoder = make_head().encoder
    past = make_past(lookback=10)
    changed = past._replace(window=past.window.clone(), known=past.known.clone())
    changed.window[:, :6] = 99.0
    changed.known[:, :6] = 0.0
    assert torch.equal(encoder(past), encoder(changed))
    changed.window[:, 6] = 99.0
    assert not torch.equal(encoder(past), encoder(changed))


def test_contexts_see_what_they_say():
    past = make_past()
    other_window = past._replace(window=past.window + 1)
    other_features = past._replace(features=past.features + 1)
    for kind, sees_window, sees_features in (("none", False, False), ("features", False, True), ("window", True, True)):
        with module_initialisation(0, "test"):
            encoder = HistoryEncoder(kind=kind, n_assets=2, n_features=3, lookback=4, width=8, activation="relu")
        assert torch.equal(encoder(past), encoder(other_window)) is not sees_window
        assert torch.equal(encoder(past), encoder(other_features)) is not sees_features


def test_velocity_vanishes_at_zero_angle_and_extrapolates_linearly():
    head, past = make_head("none"), make_past(n=3)
    noisy = torch.tensor([[1e3, 0.0], [2e3, 0.0], [3e3, 0.0]])
    with torch.no_grad():
        far = head(noisy, torch.full((3, 1), 0.8), past)
        zero = head(noisy / 1e3, torch.zeros(3, 1), past)
    torch.testing.assert_close(far[2] - far[1], far[1] - far[0], rtol=1e-3, atol=1e-2)
    assert zero.abs().max() < 1e-6
