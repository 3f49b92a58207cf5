"""The adapted sampler fed with exact conditional scores, and the seed contract."""

import numpy as np
import pytest
import torch

from tests.support.exact_heads import ExactGaussianHead
from tsgen.evaluation import fitted_adapted_wasserstein, sampling_floor
from tsgen.marketdata.known_processes import KernelProcess, VarProcess, powered_exponential
from tsgen.random_streams import stream_key
from tsgen.sampling.adapted_sampler import ConditionalSampler, sample_block
from tsgen.sampling.block_fan_out import sample_paths
from tsgen.sampling.origin import origin_at_start
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.whitening.identity import IdentityWhitening


def oracle_sampler(process, horizon, scheme, *, n_steps=16, block_size=2000, inflate=1.0):
    n = process.n_assets
    mean = np.full((horizon, n), 0.3)
    whitening = IdentityWhitening(
        mean=torch.zeros(n, dtype=torch.float64), deviation=torch.ones(n, dtype=torch.float64)
    )
    head = ExactGaussianHead(process.covariance(horizon), mean, n, inflate=inflate)
    config = SamplerConfig(scheme=scheme, n_steps=n_steps, block_size=block_size)
    # last share of a Gaussian law is not one number for all periods; the average over periods is what a fit would use
    share = np.mean([_share(head._conditional(t)[1], np.arctan(0.25)) for t in range(horizon)])
    sampler = ConditionalSampler(head=head, whitening=whitening, config=config, last_share=share, evaluate_start=True)
    return sampler, origin_at_start(whitening, horizon), mean


def _share(left, tau):
    c, s = np.cos(tau), np.sin(tau)
    values = np.linalg.eigvalsh(left)
    slope = c * s * (1 - values) / (c * c * values + s * s)
    return float(np.mean(c * c + s * s * values - slope**2 * (c * c * values + s * s)))


def excess(sampler, origin, mean, process, horizon, n=20_000):
    """Adapted distance of generated paths to the law, in sampling floors."""
    paths = sample_paths(sampler, origin, n, horizon, seed=5).double().numpy()
    covariance = process.covariance(horizon)
    distance = fitted_adapted_wasserstein(paths, mean, covariance)
    floor = sampling_floor(
        mean, covariance, n_assets=process.n_assets, n_paths=n, repetitions=4, rng=np.random.default_rng(0)
    )
    return distance, floor.mean, floor.standard_deviation


PROCESSES = {
    "kernel": (KernelProcess(powered_exponential(variance=1.0, length=8.0, power=0.8)), 8),
    "var": (VarProcess.random_first_order(2, spectral_radius=0.7, rng=np.random.default_rng(1)), 5),
}


@pytest.mark.parametrize("scheme", ["deterministic", "stochastic"])
@pytest.mark.parametrize("name", list(PROCESSES))
def test_exact_scores_reproduce_the_path_law(name, scheme):
    process, horizon = PROCESSES[name]
    sampler, origin, mean = oracle_sampler(process, horizon, scheme, n_steps=32)
    distance, floor, deviation = excess(sampler, origin, mean, process, horizon)
    scale = np.sqrt(np.trace(process.covariance(horizon)))
    # floor plus five of its standard deviations plus the scheme's own error (0.5 % of the size of the path)
    assert distance < floor + 5 * deviation + 0.005 * scale


@pytest.mark.parametrize("scheme", ["deterministic", "stochastic"])
def test_a_wrong_conditional_variance_fails_the_same_test(scheme):
    process, horizon = PROCESSES["kernel"]
    sampler, origin, mean = oracle_sampler(process, horizon, scheme, n_steps=32, inflate=1.15)
    distance, floor, deviation = excess(sampler, origin, mean, process, horizon)
    assert distance > floor + 5 * deviation + 0.005 * np.sqrt(np.trace(process.covariance(horizon)))


def test_longer_horizons_start_with_the_same_periods():
    process, _ = PROCESSES["kernel"]
    sampler, origin, _ = oracle_sampler(process, 8, "stochastic", block_size=64)
    key = stream_key(0, "scenarios")
    short = sample_block(sampler, origin, 3, key=key, block=0)
    long = sample_block(sampler, origin, 8, key=key, block=0)
    assert torch.equal(short, long[:, :3])


def test_a_block_alone_equals_the_block_of_a_full_run_for_any_number_of_workers():
    process, _ = PROCESSES["kernel"]
    sampler, origin, _ = oracle_sampler(process, 4, "deterministic", block_size=16)
    full = sample_paths(sampler, origin, 9 * 16, 4, seed=3)
    assert torch.equal(sample_paths(sampler, origin, 16, 4, seed=3, first_block=7), full[7 * 16 : 8 * 16])
    assert torch.equal(sample_paths(sampler, origin, 5, 4, seed=3), full[:5])  # fewer scenarios: the same first ones
    assert torch.equal(sample_paths(sampler, origin, 9 * 16, 4, seed=3, n_workers=2), full)
    assert not torch.equal(sample_paths(sampler, origin, 9 * 16, 4, seed=4), full)


def test_later_noise_cannot_move_earlier_periods(monkeypatch):
    from tsgen.sampling import adapted_sampler

    process, _ = PROCESSES["kernel"]
    sampler, origin, _ = oracle_sampler(process, 6, "stochastic", block_size=8)
    key = stream_key(0, "scenarios")
    before = sample_block(sampler, origin, 6, key=key, block=0)
    genuine = adapted_sampler.addressed_normals

    def disturbed(key, *, block, period, shape):
        return genuine(key, block=block, period=period, shape=shape) + (100.0 if period >= 4 else 0.0)

    monkeypatch.setattr(adapted_sampler, "addressed_normals", disturbed)
    after = sample_block(sampler, origin, 6, key=key, block=0)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.equal(before[:, 4:], after[:, 4:])
