"""Panels of many assets: factors are chosen on their own, survive storage, and no pairwise matrix is kept."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tsgen.errors import ConfigError
from tsgen.generator import GeneratorConfig, fit_generator, load_generator
from tsgen.marketdata import ReturnPanel
from tsgen.sampling.sampler_config import SamplerConfig
from tsgen.scenario_set import ScenarioSet

FAST = replace(GeneratorConfig.preset("fast"), sampler=SamplerConfig(n_steps=4, block_size=64))


def panel(n_assets, n_dates=400, seed=0):
    rng = np.random.default_rng(seed)
    market = rng.standard_t(4, (n_dates, 1)) * np.where(rng.random((n_dates, 1)) < 0.1, 1.7, 0.9)
    values = 0.008 * market + 0.01 * rng.standard_t(4, (n_dates, n_assets))
    dates = pd.bdate_range("2018-01-01", periods=n_dates)
    return ReturnPanel(pd.DataFrame(values, dates, [f"A{i:02d}" for i in range(n_assets)]), kind="log")


def test_many_assets_get_factors_and_the_coordinate_law(tmp_path):
    generator = fit_generator(panel(61), FAST, seed=0)
    assert generator.whitening.kind == "factor"
    assert "coordinate anchor (4)" in repr(generator)
    largest = max(b.numel() for b in generator.head.buffers())
    largest = max(largest, *(a.numel() for a in generator.whitening.arrays().values()))
    assert largest < 61 * 61  # no matrix of every pair anywhere
    generator.save(tmp_path / "g")
    again = load_generator(tmp_path / "g")
    assert np.array_equal(again.sample(70, 3, seed=1).returns, generator.sample(70, 3, seed=1).returns)
    parts = again.sample_to_parquet(tmp_path / "s", 70, 3, seed=1)
    assert np.array_equal(parts.load().returns, generator.sample(70, 3, seed=1).returns)


@pytest.mark.slow
def test_forty_assets_do_not_and_few_may_ask_for_them():
    assert fit_generator(panel(40), FAST, seed=0).whitening.kind == "volatility"
    assert fit_generator(panel(41), FAST, seed=0).whitening.kind == "factor"
    asked = fit_generator(panel(6), replace(FAST, whitening="factor"), seed=0)
    assert asked.whitening.kind == "factor"
    assert asked.sample(5, 2, seed=0).returns.shape == (5, 2, 6)


@pytest.mark.slow
def test_generated_moments_agree_with_the_panel():
    data = panel(70, n_dates=1500, seed=3)
    generator = fit_generator(data, FAST, seed=0)
    assert generator.residual_map is not None
    assert not generator.residual_map.direction.any()  # a factor's law is known worse from its own residuals
    returns = generator.sample(4000, 5, seed=0).returns.reshape(-1, 70)
    ratio = returns.std(axis=0) / data.values.std(axis=0)
    assert abs(np.log(ratio)).mean() < 0.08  # conditional on the last dates, whose volatility is estimated
    off = ~np.eye(70, dtype=bool)
    assert abs(np.corrcoef(returns.T)[off].mean() - np.corrcoef(data.values.T)[off].mean()) < 0.05
    kurtosis = ((returns / returns.std(axis=0)) ** 4).mean()
    assert kurtosis > 3.5  # a common Gaussian size per day alone would leave 3.2 or less to single assets


def test_factors_need_one_long_history():
    paths = ScenarioSet(np.random.default_rng(0).normal(size=(200, 4, 2)), assets=["X", "Y"], kind="log")
    with pytest.raises(ConfigError, match="whitening 'factor' models one long history: pass a ReturnPanel"):
        fit_generator(paths, GeneratorConfig(whitening="factor"))
