"""The default generator on ARMA(2,2): the law of the path, after less than a minute of training on one core."""

import numpy as np
import pytest

import tsgen
from tsgen.evaluation import fitted_adapted_wasserstein, sampling_floor
from tsgen.marketdata.known_processes import Arma

HORIZON, N_TRAINING, N_GENERATED = 32, 2048, 20_000


@pytest.mark.slow
@pytest.mark.parametrize("start", ["zero", "stationary"])
@pytest.mark.parametrize("seed", [0, 1])
def test_generated_paths_have_the_law_of_the_process(start, seed):
    unit = Arma((0.6, -0.3), (0.5, 0.2)).covariance(200)[-1, -1] ** 0.5
    process = Arma((0.6, -0.3), (0.5, 0.2), innovation_sd=1 / unit, start=start)  # unit stationary variance
    mean, covariance = np.zeros((HORIZON, 1)), process.covariance(HORIZON)
    paths = process.sample(N_TRAINING, HORIZON, rng=np.random.default_rng(seed))
    generator = tsgen.fit_generator(tsgen.ScenarioSet(paths, assets=["x"], kind="log"), seed=seed)
    generated = generator.sample(N_GENERATED, HORIZON, seed=seed).returns

    def distance(x):
        return fitted_adapted_wasserstein(x, mean, covariance) / np.sqrt(HORIZON)

    floor = sampling_floor(
        mean, covariance, n_assets=1, n_paths=N_GENERATED, repetitions=5, rng=np.random.default_rng(7)
    )
    assert distance(generated) <= 0.06
    # the training paths themselves, saturated, are clearly worse; an exact sampler is better
    assert distance(generated) < 0.6 * distance(paths)
    assert distance(generated) > floor.mean / np.sqrt(HORIZON) - 5 * floor.standard_deviation
    # variant that must fail: paths with their innovations' order destroyed in time
    shuffled = np.random.default_rng(0).permuted(generated, axis=1)
    assert distance(shuffled) > 0.2
