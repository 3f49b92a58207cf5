"""Roll-outs of hundreds of periods keep the volatility of the training dates; ordinary panels are not touched."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import tsgen
from tsgen.generator.long_run_level import HIGHEST_LEVEL, LOWEST_LEVEL, keeping_level, simulated_level
from tsgen.whitening.own_lags import OwnLagWhitening
from tsgen.whitening.own_lags_fit import OwnLagNumbers
from tsgen.whitening.volatility_fit import fit_volatility
from tsgen.whitening.whitening_protocol import whiten_paths

FAST = tsgen.GeneratorConfig.preset("fast")


def garch_paths(n_dates: int, n_assets: int, *, seed: int) -> np.ndarray:
    """GARCH(1,1) with Student-t(6) shocks of correlation 0.3, unit variance."""
    rng = np.random.default_rng(seed)
    mix = np.linalg.cholesky(0.7 * np.eye(n_assets) + 0.3)
    x, h = np.empty((n_dates, n_assets)), np.ones(n_assets)
    for t in range(n_dates):
        x[t] = np.sqrt(h * 4.0 / rng.chisquare(6)) * (mix @ rng.standard_normal(n_assets))
        h = 0.03 + 0.07 * x[t] ** 2 + 0.9 * h
    return 0.01 * x


def resting_panel(share: float, *, seed: int = 0) -> tsgen.ReturnPanel:
    values = garch_paths(1_500, 4, seed=seed)
    values[:, 3] *= np.random.default_rng([seed, 1]).random(1_500) >= share
    return tsgen.ReturnPanel(
        pd.DataFrame(values, index=pd.bdate_range("2012-01-02", periods=1_500), columns=list("ABCD")), kind="log"
    )


@pytest.fixture(scope="module")
def half_at_rest() -> tsgen.AdaptedDiffusionGenerator:
    return tsgen.fit_generator(resting_panel(0.5), FAST)


def growth(generator, values) -> np.ndarray:
    """Deviation of each asset over the last 40 of 240 periods, over the data's."""
    returns = generator.sample(1_000, 240, history="stationary", seed=0).returns
    return returns[:, 200:].std(axis=(0, 1)) / values.std(axis=0)


def innovations_of(whitening, panel) -> torch.Tensor:
    returns = torch.from_numpy(panel.values.copy())[None]
    return whiten_paths(whitening, returns, whitening.start(1)).innovations[0, 60:]


def levels(generator, panel) -> np.ndarray:
    returns = torch.from_numpy(panel.values.copy())[None]
    drawn = innovations_of(generator.whitening, panel)
    return simulated_level(generator.whitening, returns, drawn, generator.start_states, burn_in=60, seed=5)


def test_a_series_with_half_its_returns_zero_keeps_its_deviation(half_at_rest):
    """Undivided it has 1.6 to 2.5 times the data's after a year, over six such panels."""
    panel = resting_panel(0.5)
    assert growth(half_at_rest, panel.values)[3] == pytest.approx(1.0, abs=0.25)
    plain = fit_volatility(panel.values)
    undivided = replace(half_at_rest, whitening=plain)
    assert growth(undivided, panel.values)[3] > 1.5
    torch.testing.assert_close(half_at_rest.whitening.numbers.kappa[:3], plain.numbers.kappa[:3], rtol=0.03, atol=0.0)


@pytest.mark.slow
def test_a_wrong_price_calms_its_series_by_a_third_at_most():
    """A price too high by 60 deviations on one day, right again on the next; sizes winsorised at the 98 % quantile."""
    panel = resting_panel(0.0)
    values = panel.values.copy()
    values[900, 3] += 0.6
    values[901, 3] -= 0.6
    wrong = tsgen.ReturnPanel(pd.DataFrame(values, index=panel.dates, columns=list(panel.assets)), kind="log")
    generator = tsgen.fit_generator(wrong, FAST)
    undivided = replace(generator, whitening=fit_volatility(values))
    bound = np.quantile(np.abs(values[:, 3]), 0.98)

    def size(model):
        returns = np.abs(model.sample(1_000, 240, history="stationary", seed=0).returns[:, 200:, 3])
        return np.minimum(returns, bound).mean() / np.minimum(np.abs(values[:, 3]), bound).mean()

    assert size(generator) > LOWEST_LEVEL - 0.05
    assert size(undivided) < 0.6


def test_what_is_sampled_has_the_simulated_level(half_at_rest):
    """Mean absolute returns of sampled paths, an independent calculation; level errors of both are about 3 %."""
    panel = resting_panel(0.5)
    sampled = half_at_rest.sample(1_000, 240, history="stationary", seed=9).returns[:, 220:]
    ordinary = slice(0, 3)  # of the resting one generated shocks are not as often zero
    found = np.abs(sampled).mean(axis=(0, 1)) / np.abs(panel.values[60:]).mean(axis=0)
    np.testing.assert_allclose(levels(half_at_rest, panel)[ordinary], found[ordinary], rtol=0.1)


def test_what_is_divided_by_more_calms(half_at_rest):
    panel = resting_panel(0.5)
    factor = torch.tensor([1.0, 1.0, 1.1, 1.0], dtype=torch.float64)
    calmer = replace(half_at_rest, whitening=half_at_rest.whitening.dividing_feedback(factor))
    change = levels(calmer, panel) / levels(half_at_rest, panel)
    assert change[2] < 0.7
    assert (change[[0, 1, 3]] > 0.9).all()  # they share the market's size


@pytest.mark.slow
def test_levels_within_the_band_are_left_alone():
    panel = resting_panel(0.0, seed=2)
    generator = tsgen.fit_generator(panel, FAST)
    drawn, returns = innovations_of(generator.whitening, panel), torch.from_numpy(panel.values.copy())[None]
    states = generator.start_states
    assert states is not None
    found = levels(generator, panel)  # by other draws than the fit's
    assert (found > 0.95 * LOWEST_LEVEL).all()
    assert (found < 1.05 * HIGHEST_LEVEL).all()
    factor = torch.tensor([1.0, 1.0, 1.0, 1.1], dtype=torch.float64)
    spoilt = generator.whitening.dividing_feedback(factor)
    mended = keeping_level(spoilt, returns, drawn, states, burn_in=60, seed=5)
    kept = keeping_level(mended, returns, drawn, states, burn_in=60, seed=5)
    assert kept is mended
    assert float(mended.numbers.kappa[3]) < float(spoilt.numbers.kappa[3])


def test_same_seed_same_level(half_at_rest):
    panel = resting_panel(0.5)
    returns, drawn = torch.from_numpy(panel.values.copy())[None], innovations_of(half_at_rest.whitening, panel)
    arguments = (half_at_rest.whitening, returns, drawn, half_at_rest.start_states)
    np.testing.assert_array_equal(
        simulated_level(*arguments, burn_in=60, seed=1), simulated_level(*arguments, burn_in=60, seed=1)
    )


@pytest.mark.slow
def test_weeks_of_stocks_keep_their_size_for_years():
    """Undivided, the mean size of the last 20 of 240 weeks is 1.3 to 2.2 times that of the training weeks."""
    daily = tsgen.load_returns("us_stocks").split("2005-12-31")[0]
    frame = daily.returns.resample("W-FRI").sum().iloc[:-1]
    weekly = tsgen.ReturnPanel(frame, kind="log")
    generator = tsgen.fit_generator(weekly, FAST)

    def sizes(model):
        returns = model.sample(1_000, 240, history="stationary", seed=0).returns[:, 220:]
        return np.abs(returns).mean(axis=(0, 1)) / np.abs(weekly.values).mean(axis=0)

    np.testing.assert_allclose(sizes(generator), 1.0, atol=0.2)
    assert (sizes(replace(generator, whitening=fit_volatility(weekly.values))) > 1.2).all()


def test_division_reaches_the_whitening_inside_own_lags():
    inner = fit_volatility(garch_paths(400, 2, seed=3))
    lags = OwnLagNumbers(torch.zeros(1, 2).double(), torch.zeros(2).double(), torch.ones(2).double())
    factor = torch.tensor([1.0, 0.8], dtype=torch.float64)
    divided = OwnLagWhitening(inner, lags).dividing_feedback(factor)
    torch.testing.assert_close(divided.inner.numbers.kappa, inner.numbers.kappa * factor)
