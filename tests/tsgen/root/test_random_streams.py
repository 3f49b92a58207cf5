"""Addressed noise: independent, reproducible, and without a trace in global state."""

import numpy as np
import pytest
import torch
from scipy import stats

from tsgen.errors import ConfigError
from tsgen.random_streams import addressed_normals, check_seed, dated_seed, numpy_stream, stream_key
from tsgen.torch_streams import module_initialisation, torch_stream


def test_an_address_is_a_pure_function():
    key = stream_key(1, "scenarios")
    one = addressed_normals(key, block=3, period=5, shape=(4, 2))
    addressed_normals(key, block=0, period=0, shape=(1000,))
    np.testing.assert_array_equal(one, addressed_normals(key, block=3, period=5, shape=(4, 2)))
    assert one.dtype == np.float32


def test_addresses_are_independent_standard_normals():
    key = stream_key(0, "scenarios")
    draws = np.stack([addressed_normals(key, block=b, period=t, shape=(2000,)) for b in range(4) for t in range(4)])
    assert stats.kstest(draws.ravel(), "norm").pvalue > 1e-3
    correlation = np.corrcoef(draws)[np.triu_indices(16, 1)]
    # 120 correlations with standard error 1/sqrt(2000): the largest is below 4 of them
    assert np.abs(correlation).max() < 4 / np.sqrt(2000)


@pytest.mark.parametrize("other", [(1, "scenarios"), (0, "training")])
def test_seeds_and_purposes_have_their_own_streams(other):
    assert not np.array_equal(stream_key(0, "scenarios"), stream_key(*other))
    assert numpy_stream(0, "scenarios").normal() != numpy_stream(*other).normal()
    ours, others = (torch.rand(1, generator=torch_stream(*k)) for k in ((0, "scenarios"), other))
    assert not torch.equal(ours, others)


@pytest.mark.parametrize("bad", [-1, 1.0, "0", None, True])
def test_bad_seeds_are_refused(bad):
    with pytest.raises(ConfigError, match="seed must be a non-negative integer"):
        check_seed(bad)


def test_module_initialisation_is_seeded_and_restores_the_global_state():
    def build():
        with module_initialisation(5, "head"):
            return torch.nn.Linear(3, 3).weight

    before = torch.random.get_rng_state()
    assert torch.equal(build(), build())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_dates_have_their_own_noise():
    seeds = {dated_seed(0, f"2020-01-{d:02d}") for d in range(1, 32)}
    assert len(seeds) == 31
    assert all(0 <= s < 2**63 for s in seeds)
