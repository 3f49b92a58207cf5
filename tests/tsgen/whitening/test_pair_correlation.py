"""Whether all pairs move: held-out likelihood, constant correlation, storage."""

import numpy as np
import pandas as pd
import pytest
import torch

import tsgen
from tsgen.whitening.moving_correlation import DIRECTION_WEIGHT, clipped_shocks
from tsgen.whitening.moving_correlation_fit import long_run_correlation, normal_surprise, pair_history, pairs_move
from tsgen.whitening.volatility_fit import fit_volatility


def _shocks(n_dates, n_assets, seed, *, low, high, period=1500):
    """Normal, equal correlations that swing between ``low`` and ``high``."""
    rng = np.random.default_rng(seed)
    rho = low + (high - low) * (0.5 + 0.5 * np.sin(2.0 * np.pi * np.arange(n_dates) / period))
    common, own = rng.standard_normal((n_dates, 1)), rng.standard_normal((n_dates, n_assets))
    return np.sqrt(rho)[:, None] * common + np.sqrt(1.0 - rho)[:, None] * own


def _judged(shocks, n_fitted):
    """Extra surprise of moving pairs on later dates, its mean on fitted ones, and whether these say that pairs move."""
    correlation = long_run_correlation(shocks[:n_fitted])
    history = pair_history(shocks, correlation, np.linalg.eigh(correlation)[1][:, -1])
    clipped = clipped_shocks(torch.from_numpy(shocks))
    extra = (history.surprise - normal_surprise(clipped, torch.from_numpy(correlation))).numpy()
    moves = pairs_move(history.surprise[60:n_fitted], clipped[60:n_fitted], correlation)
    return extra[n_fitted:], extra[60:n_fitted].mean(), moves


def test_the_surprise_is_minus_twice_the_normal_log_likelihood():
    correlation = torch.tensor([[1.0, 0.4], [0.4, 1.0]], dtype=torch.float64)
    shocks = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    law = torch.distributions.MultivariateNormal(torch.zeros(2, dtype=torch.float64), correlation)
    constant = 2.0 * np.log(2.0 * np.pi)
    torch.testing.assert_close(normal_surprise(shocks, correlation), -2.0 * law.log_prob(shocks) - constant)


@pytest.mark.parametrize("seed", range(3))
def test_constant_pairs_are_confirmed_by_later_dates(seed):
    later, _, moves = _judged(_shocks(4000, 20, seed, low=0.4, high=0.4), 1000)
    assert later.mean() > 0
    assert not moves


def test_pairs_that_move_are_seen_on_the_dates_that_the_constant_ones_were_fitted_to():
    later, fitted, moves = _judged(_shocks(4000, 20, 1, low=0.1, high=0.7), 1000)
    blocks = later.reshape(-1, 100).mean(axis=1)
    assert later.mean() < -3 * blocks.std(ddof=1) / np.sqrt(len(blocks))
    assert moves
    assert fitted > 0  # 190 correlations fitted to 940 dates: without the count against them constant pairs win


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_a_panel_of_constant_correlation_has_constant_pairs(rho):
    panel = 0.01 * _shocks(2500, 5, 3, low=rho, high=rho)
    whitening = fit_volatility(panel)
    assert (whitening.pairs.slow_weight, whitening.pairs.direction_weight) == (0.0, 0.0)
    state = whitening.start(1)
    for row in torch.from_numpy(panel[:30]):
        state = whitening.observe(state, row[None])
    root = whitening.predict(state).root.dense()[0]
    torch.testing.assert_close(root @ root.T, whitening.pairs.correlation)
    assert whitening.facts()["correlation_weights"] == [1.0, 0.0]


def test_a_panel_of_moving_correlation_has_moving_pairs():
    whitening = fit_volatility(0.01 * _shocks(2500, 5, 3, low=0.1, high=0.8))
    assert (whitening.pairs.slow_weight, whitening.pairs.direction_weight) == (1.0, DIRECTION_WEIGHT)


def test_constant_pairs_come_back_from_a_folder(tmp_path):
    dates = pd.bdate_range("2010-01-01", periods=1500)
    frame = pd.DataFrame(0.01 * _shocks(1500, 3, 0, low=0.3, high=0.3), index=dates, columns=list("abc"))
    panel = tsgen.ReturnPanel(frame, kind="log")
    generator = tsgen.fit_generator(panel, tsgen.GeneratorConfig.preset("fast"), seed=0)
    assert generator.whitening.pairs.slow_weight == 0.0
    generator.save(tmp_path / "g")
    back = tsgen.load_generator(tmp_path / "g")
    np.testing.assert_array_equal(back.sample(8, 5, seed=1).returns, generator.sample(8, 5, seed=1).returns)
