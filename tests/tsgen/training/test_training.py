"""Rows, configuration, training loop and the rule that the anchor is the floor."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tsgen.diffusion.denoising_loss import row_losses
from tsgen.diffusion.mixture_velocity import GaussianMixture, mixture_velocity
from tsgen.errors import ConfigError, DataError, TrainingError
from tsgen.networks.score_head import HeadShape
from tsgen.training.head_selection import HeadConfig, build_head, refit_head, select_head
from tsgen.training.last_step_share import residual_share
from tsgen.training.mixture_anchor import fit_mixture
from tsgen.training.training_config import TrainingConfig
from tsgen.training.training_loop import block_losses, hold_out, train_head
from tsgen.training.training_rows import WINSOR, make_rows, split_rows

QUICK = TrainingConfig(max_steps=120, batch_rows=256, evaluate_every=40, learning_rate=5e-3, average_decay=0.95)


def rows_of(values, lookback=3, features=None):
    x = torch.as_tensor(values)
    return make_rows(x, torch.zeros(*x.shape[:2], 0) if features is None else features, lookback)


def test_rows_hold_the_right_past():
    data = rows_of(np.arange(1.0, 9.0).reshape(2, 4, 1), lookback=3)
    past = data.past(torch.tensor([0, 2, 5]))  # path 0 at t=0 and t=2, path 1 at t=1
    assert data.clean(torch.tensor([0, 2, 5])).ravel().tolist() == [1, 3, 6]
    assert past.window[:, :, 0].tolist() == [[0, 0, 0], [0, 1, 2], [0, 0, 5]]
    assert past.known.tolist() == [[0, 0, 0], [0, 1, 1], [0, 0, 1]]


def test_rows_are_winsorised_at_ten():
    assert rows_of([[[50.0], [-50.0]]]).clean(torch.tensor([0, 1])).ravel().tolist() == [WINSOR, -WINSOR]


def test_centring_moves_what_is_learned_and_not_the_past():
    data = rows_of(np.arange(1.0, 9.0).reshape(2, 4, 1), lookback=3)
    centred = data.centred(torch.tensor([0, 1, 2])).to("cpu")  # mean 2
    every = torch.arange(8)
    assert centred.clean(every).ravel().tolist() == [-1, 0, 1, 2, 3, 4, 5, 6]
    torch.testing.assert_close(centred.past(every), data.past(every), rtol=0, atol=0)


def test_panel_split_is_time_ordered_and_purged():
    split = split_rows(1, 200, fraction=0.2, purge=5, skip=10)
    assert (split.train.min(), split.train.max(), split.validation.min()) == (10, 154, 160)
    assert split.validation.max() == 199
    assert split.validation_block.max() == 1  # forty days: two blocks of twenty


def test_path_split_keeps_paths_whole():
    split = split_rows(100, 7, fraction=0.25, purge=5)
    assert len(split.train) == 75 * 7
    assert torch.equal(torch.bincount(split.validation_block), torch.full((25,), 7))


def test_too_little_to_hold_out_is_refused():
    with pytest.raises(DataError, match="too little data to hold out"):
        split_rows(1, 40, fraction=0.2, purge=5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_steps": 0}, "max_steps must be a positive integer"),
        ({"batch_rows": True}, "batch_rows must be a positive integer"),
        ({"purge": -1}, "purge must be a non-negative integer"),
        ({"learning_rate": 2.0}, "learning_rate must be in"),
        ({"weight_decay": -1.0}, "weight_decay must not be negative"),
        ({"average_decay": 1.0}, "average_decay must be in"),
        ({"validation_fraction": 0.9}, "validation_fraction must be in"),
    ],
)
def test_bad_training_settings_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**change)


def _bimodal(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.choice([-0.95, 0.95], size=(n, 1)) + 0.3 * rng.normal(size=(n, 1))
    return rows_of(values[None])


def _network(data, rows, n_components=0):
    shape = HeadShape(1, 0, "none", 3, 32, 2, "silu", n_components, True)
    return build_head(shape, data, rows, seed=0)


def test_training_lowers_the_held_out_loss_and_is_reproducible():
    data = _bimodal()
    split = split_rows(1, 3000, fraction=0.2, purge=0)
    held = hold_out(data, split.validation, split.validation_block, seed=0)

    def evaluate(head):
        return float(block_losses(head, data, held).mean())

    start = _network(data, split.train)
    longer = replace(QUICK, max_steps=500, evaluate_every=100)
    one = train_head(start, data, split.train, longer, seed=1, evaluate=evaluate)
    two = train_head(start, data, split.train, longer, seed=1, evaluate=evaluate)
    assert one.curve == two.curve
    # bimodal residuals are far from normal; the exact velocity of the law is the lower bound in expectation
    law = GaussianMixture(torch.full((2,), 0.5).log(), torch.tensor([[-0.95], [0.95]]), torch.full((2, 1, 1), 0.09))
    exact = float(row_losses(mixture_velocity(held.noisy, held.tau, law), held.target).mean())
    assert evaluate(one.head) - exact < 0.25 * (one.curve[0][1] - exact)
    assert evaluate(one.head) == pytest.approx(min(loss for _, loss in one.curve), abs=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(one.head.parameters(), two.head.parameters(), strict=True))
    assert evaluate(start) == one.curve[0][1]  # the starting head was not modified


def test_a_diverging_run_is_an_error():
    data = _bimodal(300)
    broken = _network(data, torch.arange(300))
    with torch.no_grad():
        broken.out.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match="training loss became nan"):
        train_head(broken, data, torch.arange(300), QUICK, seed=0, stop_at=40)


def test_mixture_recovers_a_scale_mixture():
    rng = np.random.default_rng(0)
    calm = rng.random(20000) < 0.8
    values = rng.normal(size=(20000, 2)) * np.where(calm, 0.6, 2.0)[:, None]
    law = fit_mixture(torch.from_numpy(values), n_components=2, seed=0)
    weights = law.log_weights.exp().numpy()
    order = np.argsort(weights)[::-1]
    assert weights[order] == pytest.approx([0.8, 0.2], abs=0.03)
    assert np.trace(law.covariances.numpy()[order], axis1=1, axis2=2) / 2 == pytest.approx([0.36, 4.0], rel=0.08)
    assert law.means.abs().max() < 0.06


def test_mixture_has_the_mean_of_the_rows():
    """Small components are shrunk more than large ones; skewed rows have components with different means."""
    rng = np.random.default_rng(0)
    values = np.column_stack([-rng.exponential(size=900), rng.normal(size=900)])
    law = fit_mixture(torch.from_numpy(values), n_components=4, seed=0)
    spread = law.means.std(dim=0)[0]
    assert spread > 0.2
    assert (law.log_weights.exp() @ law.means).numpy() == pytest.approx(values.mean(axis=0), abs=1e-6)


def test_normal_residuals_keep_the_closed_form_anchor():
    rng = np.random.default_rng(11)
    z = rng.normal(size=(300, 10, 1))
    data = rows_of((z - z.mean()) / z.std())  # as whitening hands them over
    selection = select_head(
        data, split_rows(300, 10, fraction=0.2, purge=0), HeadConfig(n_components=2, width=16), QUICK, seed=0
    )
    assert not selection.shape.learned
    accepted = [c.candidate for c in selection.comparisons if c.accepted]
    assert set(accepted) <= {"standard normal anchor", "mixture anchor (2)"}  # of equals, luck decides
    refitted = refit_head(selection, data, torch.arange(data.n_rows), QUICK, seed=0)
    assert residual_share(refitted, data, torch.arange(data.n_rows), tau=0.25, seed=0) == pytest.approx(1.0, abs=0.1)


def test_heavy_tails_are_accepted_as_a_mixture():
    rng = np.random.default_rng(12)
    data = rows_of(rng.standard_t(3, size=(400, 10, 1)) / np.sqrt(3))
    split = split_rows(400, 10, fraction=0.25, purge=0)
    selection = select_head(data, split, HeadConfig(n_components=3, contexts=()), QUICK, seed=0)
    assert selection.shape.n_components == 3
    assert selection.comparisons[1].difference < -2 * selection.comparisons[1].standard_error


def test_a_dependence_on_the_past_is_found_by_the_window_context():
    # |z_t| is large exactly when |z_{t-1}| was large: white in the second moments, not independent
    rng = np.random.default_rng(13)
    z = np.empty((400, 12, 1))
    state = rng.random(400) < 0.5
    for t in range(12):
        z[:, t, 0] = rng.normal(size=400) * np.where(state, 1.35, 0.4)
        state = np.abs(z[:, t, 0]) > 0.7
    data = rows_of(z)
    config = HeadConfig(n_components=2, contexts=("none", "features", "window"), width=32, lookback=3)
    selection = select_head(
        data,
        split_rows(400, 12, fraction=0.2, purge=0),
        config,
        TrainingConfig(max_steps=300, batch_rows=512, evaluate_every=60, learning_rate=5e-3),
        seed=0,
    )
    assert selection.shape.learned
    assert selection.shape.context == "window"
