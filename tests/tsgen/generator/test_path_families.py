"""Generators of paths whose volatility or regime moves: fitted, sampled, stored and loaded like any other."""

import numpy as np
import pytest

import tsgen
from tsgen.generator import GeneratorConfig
from tsgen.marketdata.known_processes import GarchCcc, MarkovSwitchingAr

FAST = GeneratorConfig.preset("fast")
LAWS = {
    "path_volatility": GarchCcc([0.1, 0.1], [0.25, 0.25], [0.7, 0.7], [[1.0, 0.4], [0.4, 1.0]], dof=6.0),
    "regime_switching": MarkovSwitchingAr([[0.95, 0.05], [0.10, 0.90]], [0.1, -0.2], [[0.3], [-0.2]], [0.5, 2.0]),
}


# the GARCH fits take ten seconds
@pytest.fixture(
    scope="module", params=[pytest.param("path_volatility", marks=pytest.mark.slow), pytest.param("regime_switching")]
)
def fitted(request):
    paths = LAWS[request.param].sample(500, 20, rng=np.random.default_rng(0))
    assets = [f"x{i}" for i in range(paths.shape[2])]
    return request.param, tsgen.fit_generator(tsgen.ScenarioSet(paths, assets=assets, kind="log"), FAST)


def test_the_family_is_chosen_and_recorded(fitted):
    family, generator = fitted
    assert generator.whitening.kind == family
    tried = [c for c in generator.record.comparisons if c["candidate"].startswith("whitening")]
    assert [c["candidate"].split()[1] for c in tried] == ["linear_prediction", "path_volatility", "regime_switching"]


def test_stored_generator_samples_the_same(fitted, tmp_path):
    _, generator = fitted
    generator.save(tmp_path / "g")
    again = tsgen.load_generator(tmp_path / "g")
    assert np.array_equal(again.sample(40, 25, seed=1).returns, generator.sample(40, 25, seed=1).returns)
    assert repr(again) == repr(generator)


def test_a_longer_horizon_leaves_the_first_periods_unchanged(fitted):
    _, generator = fitted
    short, long = (generator.sample(30, horizon, seed=2).returns for horizon in (6, 18))
    assert np.array_equal(short, long[:, :6])


def test_generated_volatility_clusters_like_the_law(fitted):
    family, generator = fitted

    def clustering(paths):
        size = np.abs(paths) - np.abs(paths).mean(axis=(0, 1))
        return float(((size[:, 2:] * size[:, :-2]).mean(axis=(0, 1)) / (size**2).mean(axis=(0, 1))).mean())

    exact = clustering(LAWS[family].sample(4000, 20, rng=np.random.default_rng(1)))
    own = clustering(generator.sample(4000, 20, seed=3).returns)
    assert exact > 0.1  # there is something to reproduce; without the family the generator shows almost none
    # trained on 500 paths: four standard errors of their autocorrelation, .015 each in repeated samples
    assert own == pytest.approx(exact, abs=0.06)
