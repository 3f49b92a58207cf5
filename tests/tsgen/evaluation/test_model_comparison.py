"""Comparisons have their size under equal models with memory, and their power against worse ones."""

import numpy as np
import pytest
from scipy import stats

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.model_comparison import (
    block_standard_error,
    diebold_mariano,
    model_confidence_set,
    paired_difference,
)


def dependent(rng, n, memory=0.8):
    noise = rng.standard_normal(n) * np.sqrt(1 - memory**2)
    record = np.empty(n)
    record[0] = rng.standard_normal()
    for i in range(1, n):
        record[i] = memory * record[i - 1] + noise[i]
    return record


def test_block_error_knows_the_memory_of_the_record():
    rng = np.random.default_rng(0)
    n, memory = 2000, 0.8
    exact = np.sqrt((1 + memory) / (1 - memory) / n)
    errors = np.array([block_standard_error(dependent(rng, n)) for _ in range(60)])
    # blocks of 20 miss the memory across block ends: the ratio is sqrt(1 - 2 m / (20 (1 - m^2))) = 0.88
    assert abs(errors.mean() / exact - 0.88) < 4 * errors.std() / exact / np.sqrt(60) + 0.02
    naive = np.array([dependent(rng, n).std() / np.sqrt(n) for _ in range(20)])
    assert naive.mean() / exact < 0.4


def test_paired_difference_is_a_t_test_of_block_means():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(400), rng.standard_normal(400)
    result = paired_difference(a, b)
    other = stats.ttest_1samp((a - b).reshape(20, 20).mean(axis=1), 0.0)
    assert (result.t, result.p_value) == (pytest.approx(other.statistic), pytest.approx(other.pvalue))
    assert result.n_blocks == 20


def test_size_under_equal_models_and_power_against_a_worse_one():
    rng = np.random.default_rng(1)
    p_values = np.array(
        [paired_difference(dependent(rng, 1000, 0.3), dependent(rng, 1000, 0.3)).p_value for _ in range(200)]
    )
    # 5 % +- 1.5 %, and the blocks miss a little of the memory
    assert 0.01 < (p_values < 0.05).mean() < 0.05 + 3 * 0.016
    worse = [paired_difference(dependent(rng, 1000, 0.3), dependent(rng, 1000, 0.3) + 0.3).p_value for _ in range(30)]
    assert np.mean(np.array(worse) < 0.05) > 0.9


def test_diebold_mariano_of_one_step_is_a_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(100), rng.standard_normal(100) + 0.1
    result = diebold_mariano(a, b)
    other = stats.ttest_rel(a, b)
    # one step: the correction sqrt((n - 1) / n) turns the variance with divisor n into the one with n - 1
    assert result.statistic == pytest.approx(other.statistic, rel=1e-12)
    assert result.p_value == pytest.approx(other.pvalue, rel=1e-12)


def test_diebold_mariano_counts_overlap():
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(200):
        sums = np.convolve(rng.standard_normal(504), np.ones(5), mode="valid")
        p_values.append(diebold_mariano(sums, np.zeros(500), horizon=5).p_value)
    assert (np.array(p_values) < 0.05).mean() < 0.05 + 4 * 0.016


def test_confidence_set_keeps_equals_and_drops_the_worse():
    rng = np.random.default_rng(0)
    common = rng.standard_normal(600)
    scores = {
        "a": common + 0.3 * rng.standard_normal(600),
        "b": common + 0.3 * rng.standard_normal(600),
        "worse": common + 0.2 + 0.3 * rng.standard_normal(600),
    }
    table = model_confidence_set(scores, seed=0)
    assert table["included"].to_dict() == {"a": True, "b": True, "worse": False}
    assert table.equals(model_confidence_set(scores, seed=0))


def test_bad_records_are_refused():
    ones, noise = np.ones(200), np.random.default_rng(0).standard_normal(200)
    with pytest.raises(DataError, match="at least 5 blocks of 20 dates: got 99"):
        block_standard_error(noise[:99])
    with pytest.raises(ShapeError, match=r"must have shape \(date,\)"):
        block_standard_error(noise[:, None])
    with pytest.raises(DataError, match="a score record must be finite"):
        block_standard_error(np.append(noise, np.nan))
    with pytest.raises(ConfigError, match="block must be a positive number"):
        block_standard_error(noise, block=0)
    with pytest.raises(ShapeError, match="must have the same dates"):
        paired_difference(noise, noise[1:])
    with pytest.raises(DataError, match="score records must be finite"):
        paired_difference(noise, noise * np.nan)
    with pytest.raises(DataError, match="differ by a constant"):
        paired_difference(ones, ones + 1.0)
    with pytest.raises(ConfigError, match="horizon must be an integer"):
        diebold_mariano(noise, ones, horizon=0)
    with pytest.raises(DataError, match="differ by a constant"):
        diebold_mariano(ones, ones)
    # not representable: the differences vary by rounding, and a t statistic of 1e16 would be the answer
    with pytest.raises(DataError, match="differ by a constant"):
        diebold_mariano(noise, noise + 0.1)
    alternating = np.tile([1.0, -1.0], 50)
    with pytest.raises(DataError, match="horizon 2 is too long"):
        diebold_mariano(alternating, np.zeros(100), horizon=2)
    with pytest.raises(ConfigError, match="repetitions must be an integer of at least 100"):
        model_confidence_set({"a": noise, "b": noise[::-1]}, seed=0, repetitions=1)
    with pytest.raises(DataError, match="at least two models"):
        model_confidence_set({"a": noise}, seed=0)
    with pytest.raises(ConfigError, match="size must be between"):
        model_confidence_set({"a": noise, "b": ones}, seed=0, size=1.0)
    with pytest.raises(DataError, match="models 'a' and 'b' have the same scores"):
        model_confidence_set({"a": noise, "b": noise + 1.0}, seed=0)
