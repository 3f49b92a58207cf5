"""Training to the stop of the kernel rule: the plan, the option, its diagnostics, and the claims on known laws."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from tsgen.diffusion.denoising_loss import noised_batch
from tsgen.diffusion.mixture_velocity import GaussianMixture, mixture_velocity
from tsgen.errors import ConfigError, TrainingError
from tsgen.networks.history_encoder import Past
from tsgen.networks.score_head import HeadShape
from tsgen.torch_streams import torch_stream
from tsgen.training.early_stopping import StoppingTime, stopping_time
from tsgen.training.head_selection import HeadConfig, build_head, refit_head, select_head
from tsgen.training.kernel_features import kernel_features, leading_directions
from tsgen.training.kernel_training import (
    diagnose_stopping,
    kernel_regression,
    kernel_start,
    plan_descent,
    train_to_stop,
)
from tsgen.training.noise_level import spectral_regression
from tsgen.training.tangent_kernel import HeadInputs, infinite_width_kernel
from tsgen.training.training_config import TrainingConfig
from tsgen.training.training_rows import make_rows, split_rows
from tsgen.training.two_layer_relu import TwoLayerReluNetwork, two_layer_relu_kernel

NTK = TrainingConfig(max_steps=400, batch_rows=256, early_stopping="ntk")
LAWS = {
    "gaussian": GaussianMixture(torch.zeros(1), torch.zeros(1, 2), torch.tensor([[[1.3, 0.5], [0.5, 0.4]]])),
    "modes": GaussianMixture(
        torch.tensor([0.5, 0.5]).log(), torch.tensor([[-1.0], [0.9]]), torch.tensor([[[0.12]], [[0.2]]])
    ),
}


def _draw(law, n, seed):
    rng = np.random.default_rng(seed)
    component = rng.choice(len(law.log_weights), size=n, p=law.log_weights.double().exp().numpy())
    roots = torch.linalg.cholesky(law.covariances).numpy()
    noise = rng.standard_normal((n, law.means.shape[1]))
    return torch.from_numpy(law.means.numpy()[component] + np.einsum("nij,nj->ni", roots[component], noise)).float()


def _rows(values):
    return make_rows(values[None], torch.zeros(1, len(values), 0), 2)


def _shape(n_assets, width=64, **change):
    return HeadShape(n_assets, 0, "none", 2, width, 0, "relu", 0, True)._replace(**change)


def _stop(time):
    return StoppingTime(time, 1.0, 1.0, torch.tensor([2.0, 0.1]).double(), 1.0, time)


@pytest.mark.parametrize("time", [0.01, 3.0, 200.0])
def test_plan_adds_up_to_the_stopping_time(time):
    plan = plan_descent(_stop(time), n_outputs=3, max_steps=100_000)
    steps = plan.step_size * (1.0 - np.arange(plan.steps) / plan.steps)
    # gradient of a mean over 3 coordinates of a square: 2/3; momentum 0.9: ten times
    assert 10 * 2 / 3 * steps.sum() == pytest.approx(time, rel=0.01)
    assert plan.step_size * 2 / 3 * 2.0 <= 0.5 + 1e-12  # stable in the steepest direction
    assert not plan.limited


def test_more_steps_than_needed_are_smaller_and_end_at_the_same_time():
    short, long = (plan_descent(_stop(3.0), n_outputs=1, max_steps=9000, fewest_steps=n) for n in (200, 5000))
    assert (short.steps, long.steps) == (200, 5000)
    assert long.reached_time == pytest.approx(short.reached_time, rel=1e-12)


def test_plan_says_when_max_steps_comes_first():
    plan = plan_descent(_stop(1e6), n_outputs=1, max_steps=300)
    assert plan.steps == 300
    assert plan.limited
    assert plan.reached_time < 1e6


def test_labels_without_noise_are_trained_on_to_the_end():
    plan = plan_descent(_stop(math.inf), n_outputs=1, max_steps=300)
    assert (plan.steps, plan.limited) == (300, True)
    assert 0.0 < plan.reached_time < math.inf


def test_no_signal_means_no_steps():
    assert plan_descent(_stop(0.0), n_outputs=1, max_steps=300).steps == 0


def test_unknown_stopping_rule_is_refused():
    with pytest.raises(ConfigError, match=r"early_stopping must be one of \('held_out', 'ntk'\): got 'NTK'"):
        TrainingConfig(early_stopping="NTK")


def test_training_is_reproducible_and_leaves_the_start_alone():
    data = _rows(_draw(LAWS["modes"], 300, 0))
    rows = torch.arange(300)
    head = build_head(_shape(1, n_blocks=1, activation="silu"), data, rows, seed=0)
    before = [p.clone() for p in head.parameters()]
    one, two = (train_to_stop(head, data, rows, NTK, seed=3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.head.parameters(), two.head.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(head.parameters(), before, strict=True))
    assert one.plan.steps > 0
    assert not any(p.requires_grad for p in one.head.parameters())


@pytest.mark.slow
def test_whitened_normal_data_are_hardly_trained_on():
    times = []
    for seed in range(4):
        data = _rows(torch.from_numpy(np.random.default_rng(seed).standard_normal((300, 1))).float())
        head = kernel_start(build_head(_shape(1), data, torch.arange(300), seed=0), seed=0)
        found = stopping_time(kernel_regression(head, data, torch.arange(300), seed=seed))
        times.append(found.time * float(found.eigenvalues[0]))
    modes = _rows(_draw(LAWS["modes"], 300, 0))
    found = stopping_time(kernel_regression(head, modes, torch.arange(300), seed=0))
    assert found.time * float(found.eigenvalues[0]) > 20 * sorted(times)[2]


def test_noise_level_of_the_denoising_labels():
    """Standard normal data: the velocity target is independent of the input, with variance one."""
    data = _rows(torch.from_numpy(np.random.default_rng(5).standard_normal((800, 1))).float())
    head = kernel_start(build_head(_shape(1), data, torch.arange(800), seed=0), seed=0)
    found = kernel_regression(head, data, torch.arange(800), seed=0)
    # 16,000 labels, twenty per observation: at least 800 independent squares of variance 2
    assert found.noise_level == pytest.approx(1.0, abs=5 * 0.5 * (2 / 800) ** 0.5)


def test_the_option_trains_selects_and_refits():
    data = _rows(_draw(LAWS["modes"], 600, 1))
    split = split_rows(1, 600, fraction=0.25, purge=0)
    config = HeadConfig(n_components=0, contexts=("none",), width=32, n_blocks=1, acceptance=0.0)
    selection = select_head(data, split, config, NTK, seed=0)
    assert selection.shape.learned  # two modes: far from the standard normal anchor
    network = next(c for c in selection.comparisons if c.steps)
    assert network.steps <= NTK.max_steps
    refitted = refit_head(selection, data, torch.arange(600), NTK, seed=0)
    direct = train_to_stop(
        build_head(selection.shape, data, torch.arange(600), seed=0),
        data,
        torch.arange(600),
        NTK,
        seed=0,
        at_least_one=True,
    )
    assert all(torch.equal(a, b) for a, b in zip(refitted.parameters(), direct.head.parameters(), strict=True))


def test_diagnostics_show_curve_prediction_and_minimum():
    data = _rows(_draw(LAWS["modes"], 300, 2))
    head = build_head(_shape(1), data, torch.arange(300), seed=0)
    losses = iter(np.concatenate([np.linspace(1.0, 0.5, 12), np.linspace(0.6, 2.0, 100)]))
    found = diagnose_stopping(
        head, data, torch.arange(300), replace(NTK, max_steps=100), seed=0, evaluate=lambda _: next(losses), beyond=2.0
    )
    steps = [step for step, _ in found.curve]
    assert steps == sorted(set(steps))
    assert found.best_step == steps[11]
    assert found.excess >= 0.0
    assert found.predicted_step > 0.0


def test_a_diverging_descent_is_an_error():
    data = _rows(_draw(LAWS["modes"], 300, 0))
    head = build_head(_shape(1, n_blocks=1), data, torch.arange(300), seed=0)
    stop = _stop(10.0)
    with torch.no_grad():
        head.out.bias.fill_(float("nan"))
    from tsgen.training.kernel_training import _descend

    with pytest.raises(TrainingError, match="of gradient descent"):
        _descend(head, data, torch.arange(300), plan_descent(stop, n_outputs=1, max_steps=9), NTK, seed=0, decay=True)


def _noised(law, n, seed, *, copies=1, purpose="noise"):
    clean = _draw(law, n, seed).repeat_interleave(copies, dim=0)
    batch = noised_batch(clean, generator=torch_stream(seed, purpose))
    rows, n_assets = clean.shape
    past = Past(torch.zeros(rows, 2, n_assets), torch.zeros(rows, 2), torch.zeros(rows, 0))
    return HeadInputs(batch.noisy, batch.tau, past), batch


@pytest.mark.slow
@pytest.mark.parametrize("n", [256, 1024])
@pytest.mark.parametrize("name", list(LAWS))
def test_score_error_at_the_stop_is_near_the_best(name, n):
    """Kernel regression with the exact kernel on noisy labels; exact velocities; five seeds."""
    law, ratios, ends = LAWS[name], [], []
    for seed in range(5):
        inputs, batch = _noised(law, n, seed)
        fresh, _ = _noised(law, 1000, seed + 1000)
        exact = mixture_velocity(fresh.noisy, fresh.tau, law)
        kernel = infinite_width_kernel(_shape(law.means.shape[1], width=2))
        values, vectors = torch.linalg.eigh(kernel(inputs, inputs) / n)
        values, energy = values.clamp_min(1e-15), vectors.T @ batch.target.double()
        cross = kernel(fresh, inputs) @ vectors / n

        def error(time, cross=cross, values=values, energy=energy, exact=exact):
            fit = cross @ ((-torch.expm1(-time * values) / values)[:, None] * energy)
            return float((fit - exact).square().mean().sqrt())

        largest = float(values[-1])
        best = min(error(10 ** (k / 8) / largest) for k in range(-8, 57))
        landmarks = inputs.take(torch.arange(min(n, 512)))
        again, fresh_labels = _noised(law, n, seed, copies=16, purpose="noise of the rule")
        found = spectral_regression(
            kernel_features(kernel, landmarks)(again), fresh_labels.target, copies=16, fixed_labels=True
        )
        stop = stopping_time(found)
        ratios.append(error(stop.time) / best)
        ends.append(error(1e7 / largest) / best)
    assert np.mean(ratios) < 1.15
    assert all(stopped < end for stopped, end in zip(ratios, ends, strict=True))


def _mean_labels(points, observations):
    """Mean label given the noisy point over the observations: all that noise drawn afresh for ever can teach."""
    cosine, sine, values = torch.cos(points.tau).double(), torch.sin(points.tau).double(), observations.double()
    distance = torch.cdist(points.noisy.double() / cosine, values)
    clean = torch.softmax(-0.5 * (distance * cosine / sine).square(), dim=1) @ values
    return cosine * (points.noisy - cosine * clean) / sine - sine * clean


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n", "copies"), [("gaussian", 256, 64), ("modes", 1024, 16)])
def test_with_fresh_noise_the_stop_is_near_the_best_too(name, n, copies):
    """Kernel regression in closed form with the mean over all noise as labels; three seeds."""
    law, ratios, ends, early = LAWS[name], [], [], []
    for seed in range(3):
        points, _ = _noised(law, n, seed, copies=copies)
        labels = _mean_labels(points, _draw(law, n, seed))
        fresh, _ = _noised(law, 1000, seed + 1000)
        exact = mixture_velocity(fresh.noisy, fresh.tau, law)
        kernel = infinite_width_kernel(_shape(law.means.shape[1], width=2))
        features = kernel_features(kernel, points.take(torch.arange(0, copies * n, 32)))
        rows = features(points)
        values, vectors = torch.linalg.eigh(rows.T @ rows / len(rows))
        values, energy = values.clamp_min(1e-15), vectors.T @ (rows.T @ labels / len(rows))
        cross = features(fresh) @ vectors

        def error(time, cross=cross, values=values, energy=energy, exact=exact):
            fit = cross @ ((-torch.expm1(-time * values) / values)[:, None] * energy)
            return float((fit - exact).square().mean().sqrt())

        largest = float(values[-1])
        best = min(error(10 ** (k / 8) / largest) for k in range(-8, 65))
        again, noisy_labels = _noised(law, n, seed, copies=copies, purpose="noise of the rule")
        found = spectral_regression(features(again), noisy_labels.target, copies=copies)
        ratios.append(error(stopping_time(found).time) / best)
        once = found._replace(stopping_variance=torch.full_like(found.signal, found.noise_level**2 / n))
        early.append(error(stopping_time(once).time) / best)
        ends.append(error(1e8 / largest) / best)
    assert np.mean(ratios) < 1.05  # single samples of such laws scatter by 0.01 to 0.02 about 1.01
    assert np.mean(early) > np.mean(ratios) + 0.1  # the rule for labels drawn once stops too early
    if name == "gaussian":  # on two modes training to the end costs nothing
        assert all(stopped < end for stopped, end in zip(ratios, ends, strict=True))


@pytest.mark.slow
def test_networks_approach_kernel_regression_at_the_root_of_the_width():
    """Same gradient steps for the network and for kernel regression; slope of log distance on log width."""
    widths, slopes = (64, 256, 1024, 4096), []
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        x, fresh = torch.randn(2, 60, 4, generator=generator, dtype=torch.float64)
        y = torch.sin(2 * x[:, :1]) + 0.5 * torch.randn(60, 1, generator=generator, dtype=torch.float64)
        gram = two_layer_relu_kernel(x, x)
        assert leading_directions(gram, smallest_share=1e-9).shape[0] == 60
        step, dual = 0.9 * 60 / float(torch.linalg.eigvalsh(gram)[-1]), torch.zeros_like(y)
        for _ in range(100):
            dual -= step / 60 * (gram @ dual - y)
        expected = two_layer_relu_kernel(fresh, x) @ dual
        distance = []
        for width in widths:
            network = TwoLayerReluNetwork(4, 1, width, generator=generator, dtype=torch.float64)
            for _ in range(100):
                loss = 0.5 * (network(x) - y).square().mean()
                (gradient,) = torch.autograd.grad(loss, network.weights)
                with torch.no_grad():
                    network.weights -= step * gradient
            distance.append(float((network(fresh) - expected).detach().square().mean().sqrt()))
        slopes.append(np.polyfit(np.log(widths), np.log(distance), 1)[0])
    # one slope from four widths scatters by about 0.1
    assert np.mean(slopes) == pytest.approx(-0.5, abs=5 * 0.1 / math.sqrt(3))
    assert np.mean(slopes) < -0.3
