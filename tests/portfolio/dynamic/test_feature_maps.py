"""Pull-backs against finite differences, Lipschitz constants against the largest slopes."""

import numpy as np
import pytest

from portfolio.dynamic.feature_maps import (
    FeatureMap,
    KernelFeatures,
    NoFeatures,
    SelectedInputs,
    TanhFeatures,
    checked_features,
)
from tsgen.errors import ConfigError, DataError, ShapeError

RNG = np.random.default_rng(0)
MAPS = {
    "tanh": TanhFeatures(directions=RNG.normal(size=(4, 3)), strength=0.3),
    "kernels": KernelFeatures(centres=RNG.normal(size=(5, 3)), width=0.8, strength=0.3),
    "none": NoFeatures(n_inputs=3),
    "selected": SelectedInputs(
        features=TanhFeatures(directions=RNG.normal(size=(2, 2))), positions=(2, 0), n_inputs=3, scale=(0.5, 2.0)
    ),
}


@pytest.mark.parametrize("name", MAPS)
def test_pull_back_is_the_transposed_derivative(name):
    features = MAPS[name]
    rng = np.random.default_rng(1)
    x, g = rng.normal(size=(6, 2, 3)), rng.normal(size=(6, 2, features.n_features))
    move, h = rng.normal(size=x.shape), 1e-5
    slope = (features.value(x + h * move) - features.value(x - h * move)) / (2 * h)
    # central differences: h^2 times a third derivative
    np.testing.assert_allclose((features.pull_back(x, g) * move).sum(), (slope * g).sum(), rtol=1e-7, atol=1e-10)
    assert features.value(x).shape == (6, 2, features.n_features)
    assert isinstance(features, FeatureMap)


@pytest.mark.parametrize("name", MAPS)
def test_lipschitz_constant_bounds_all_slopes(name):
    features = MAPS[name]
    rng = np.random.default_rng(2)
    x = rng.normal(size=(5000, 3))
    y = x + rng.normal(size=x.shape) * rng.choice([1e-4, 1.0], (5000, 1))
    ratios = np.linalg.norm(features.value(x) - features.value(y), axis=1) / np.linalg.norm(x - y, axis=1)
    assert ratios.max(initial=0.0) <= features.lipschitz * (1 + 1e-9)


def test_constants_are_attained():
    tanh = MAPS["tanh"]
    steepest = np.linalg.svd(tanh.directions)[2][0]
    slope = np.linalg.norm(tanh.value(1e-5 * steepest)) / 1e-5
    assert slope == pytest.approx(tanh.lipschitz, rel=1e-6)
    one = KernelFeatures(centres=[[0.0, 0.0]], width=0.7, strength=0.2)
    # a Gaussian is steepest one width from its centre
    edge = np.array([0.7, 0.0])
    assert np.linalg.norm(one.pull_back(edge, np.ones(1))) == pytest.approx(0.2, rel=1e-12)
    assert np.abs(MAPS["kernels"].value(np.zeros(3))).max() < 1e-15


def test_refusals():
    with pytest.raises(ConfigError, match="strength must be a positive finite number"):
        TanhFeatures(directions=[[1.0]], strength=0.0)
    with pytest.raises(ConfigError, match="width must be a positive finite number"):
        KernelFeatures(centres=[[1.0]], width=-1.0)
    with pytest.raises(ShapeError, match="directions must have shape"):
        TanhFeatures(directions=[1.0])
    with pytest.raises(ConfigError, match="positions must be 1 different coordinates below 3"):
        SelectedInputs(features=TanhFeatures(directions=[[1.0]]), positions=(3,), n_inputs=3)
    with pytest.raises(DataError, match="scale must be finite"):
        SelectedInputs(features=TanhFeatures(directions=[[1.0]]), positions=(0,), n_inputs=3, scale=(np.nan,))
    with pytest.raises(ConfigError, match="must be a feature map such as"):
        checked_features(np.tanh, 3)
    with pytest.raises(ConfigError, match="must take the 2 inputs of this problem: they take 3"):
        checked_features(MAPS["tanh"], 2)
