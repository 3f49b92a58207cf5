"""Counts from NumPy are counts; bools, floats and what is too small are refused by name."""

import json
from dataclasses import asdict

import numpy as np
import pytest

import tsgen
from tsgen.errors import ConfigError
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.training.training_config import TrainingConfig
from tsgen.whole_numbers import whole_number


@pytest.mark.parametrize("value", [5, np.int64(5), np.uint8(5)])
def test_integers_of_any_kind_become_pythons(value):
    found = whole_number(value, "n")
    assert found == 5
    assert type(found) is int


@pytest.mark.parametrize(
    ("value", "least"), [(0, 1), (-1, 0), (True, 1), (np.True_, 1), (2.0, 1), ("3", 1), (None, 0), (1, 2)]
)
def test_what_is_none_is_refused(value, least):
    with pytest.raises(ConfigError, match="n must be"):
        whole_number(value, "n", least=least)


def test_the_smallest_is_one_of_them():
    assert whole_number(3, "n", least=3) == 3
    with pytest.raises(ConfigError, match="n must be an integer of at least 3: got 2"):
        whole_number(2, "n", least=3)


def test_settings_and_requests_take_numpy_counts(tmp_path):
    json.dumps(asdict(TrainingConfig(max_steps=np.int64(10))))
    json.dumps(asdict(SamplerConfig(n_steps=np.int32(4))))
    generator = tsgen.fit_generator(
        tsgen.load_returns("us_index").until("1999-12-31"), tsgen.GeneratorConfig.preset("fast"), seed=0
    )
    plain = generator.sample(3, 4, seed=0)
    counted = generator.sample(np.int64(3), np.int64(4), seed=np.int64(0))
    np.testing.assert_array_equal(counted.returns, plain.returns)
    parts = generator.sample_to_parquet(tmp_path / "parts", np.int64(3), np.int64(4), seed=0, n_workers=np.int64(1))
    assert parts.n_scenarios == 3
    steered = tsgen.steer(
        generator,
        [tsgen.RiskConstraint(tsgen.TerminalReturn({generator.assets[0]: 1.0}), "==", 0.0)],
        horizon=np.int64(3),
        seed=0,
        config=tsgen.SteeringConfig(n_paths=200, n_iterations=1, n_fit_steps=5, n_certificate_paths=np.int64(200)),
    )
    steered.save(tmp_path / "steered")
