"""The market term of the volatility whitening."""

import numpy as np
import pytest
import torch

from tsgen.whitening.market_volatility import (
    SIZE_DECAY,
    SMOOTHING_DECAY,
    TREND_DECAY,
    fit_market,
    market_moved,
    market_shocks,
    market_start,
    market_terms,
)
from tsgen.whitening.volatility import VolatilityWhitening
from tsgen.whitening.volatility_fit import fit_volatility
from tsgen.whitening.whitening_protocol import whiten_paths

N_ASSETS = 12


def _common_volatility(n_dates, *, shared, seed=0):
    """Independent normal shocks whose log volatility is an AR(1): one for all assets, or one for each."""
    rng = np.random.default_rng(seed)
    drivers = rng.standard_normal((n_dates, 1 if shared else N_ASSETS))
    log_volatility = np.zeros(drivers.shape)
    for t in range(1, n_dates):
        log_volatility[t] = 0.97 * log_volatility[t - 1] + 0.15 * drivers[t]
    volatility = 0.01 * np.exp(log_volatility) * np.ones(N_ASSETS)
    return volatility * rng.standard_normal((n_dates, N_ASSETS)), volatility


def _market_weight(whitening):
    weights = whitening.numbers.weights
    return float((weights[:, 4:].sum(dim=1) / weights.sum(dim=1)).mean())


def _log_error(whitening, returns, volatility, first):
    """Mean squared error of the log of the forecast volatility on dates from ``first`` on."""
    state = whitening.start(1)
    errors = []
    for t, row in enumerate(torch.from_numpy(returns)):
        if t >= first:
            errors.append(whitening.predict(state).scale[0].numpy() / volatility[t])
        state = whitening.observe(state, row[None])
    return float(np.log(np.array(errors)).var(axis=0).mean())


def test_a_common_volatility_is_read_off_the_whole_panel():
    returns, volatility = _common_volatility(2000, shared=True)
    fitted = fit_volatility(returns[:1500])
    assert _market_weight(fitted) > 0.5
    with_market = _log_error(fitted, returns, volatility, 1500)
    weights = fitted.numbers.weights.clone()
    weights[:, 0] += weights[:, 4:].sum(dim=1)  # the same volatility from each series' own shocks
    weights[:, 4:] = 0.0
    own = VolatilityWhitening(fitted.numbers._replace(weights=weights), fitted.pairs)
    # one absolute normal shock has a relative variance of pi/2 - 1, the mean over twelve series a twelfth of it;
    # the common news of the day, which no past tells, keeps the ratio from falling further
    assert with_market < 0.9 * _log_error(own, returns, volatility, 1500)


def test_without_a_common_volatility_the_market_term_is_not_used():
    assert _market_weight(fit_volatility(_common_volatility(2000, shared=False)[0])) < 0.05


def test_market_shocks_are_means_over_assets_in_units_of_their_own_level():
    ratios = torch.tensor([[1.0, -3.0], [2.0, 2.0], [100.0, 0.0]], dtype=torch.float64)
    scale = torch.tensor([1.0, 2.0], dtype=torch.float64)
    sign = torch.ones(2, dtype=torch.float64)
    found = market_shocks(ratios, scale, sign)
    # sizes (1 + 2 * 3) / 2, (2 + 2 * 2) / 2, and a jump that counts as five; falls -(1 - 3) / 2, -(2 + 2) / 2, -5 / 2
    assert found.tolist() == [[3.5, 1.0], [3.0, -2.0], [2.5, -2.5]]
    # where rises are the bad news, the second asset's fall is good news
    reversed_sign = torch.tensor([1.0, -1.0], dtype=torch.float64)
    assert market_shocks(ratios, scale, reversed_sign)[:, 1].tolist() == [-2.0, 0.0, -2.5]


def test_size_answers_over_days_and_the_trend_nets_rises_against_falls():
    scale = torch.tensor([2.0, 3.0], dtype=torch.float64)
    shocks = torch.zeros(40, 2, dtype=torch.float64)
    shocks[0] = torch.tensor([1.0, 1.0])  # a size and a fall of one
    shocks[1, 1] = -0.85  # a rise that takes back what is left of it
    market, path = torch.zeros(1, 3, dtype=torch.float64), []
    for shock in shocks:
        market = market_moved(market, shock[None], scale)
        path.append(market[0])
    found = torch.stack(path).numpy()
    lags = np.arange(1, 41)
    # two geometric averages in a row: .15 .30 sum_j .85^(lag - j) .70^(j - 1)
    kernel = 0.15 * 0.30 * (0.85**lags - 0.70**lags) / (0.85 - 0.70)
    np.testing.assert_allclose(found[:, 1], 2.0 * kernel, rtol=1e-12)
    assert kernel[1] > kernel[0]  # the next day is not yet the loudest
    np.testing.assert_allclose(found[:, 2], 1 - 0.85**lags + np.r_[0.15 * 3.0, np.zeros(39)], rtol=1e-12)
    assert market_terms(torch.tensor([1.0, 2.0, -0.5])).tolist() == [2.0, 0.0]


def test_the_fitted_scales_make_size_one_and_the_trend_seven_tenths():
    rng = np.random.default_rng(3)
    shocks = torch.from_numpy(np.column_stack([rng.exponential(0.8, 4000), rng.standard_normal(4000)]))
    scale, known = fit_market(shocks, 60)
    assert float(known[60:, 1].mean()) == pytest.approx(
        1.0, abs=0.01
    )  # of 4,000 dates, 1 / sqrt(4000) = .016, same data
    assert float(known[60:, 2].std(correction=0)) == pytest.approx(0.7, rel=1e-12)
    market = market_start(1)
    for t in range(100):  # what the fit read is what the filter gives
        torch.testing.assert_close(known[t], market[0], rtol=1e-12, atol=0.0)
        market = market_moved(market, shocks[t : t + 1], scale)


def _trending_volatility(n_dates, *, seed):
    """Independent shocks of a common volatility that answers to the trend of the panel; it and the returns."""
    rng = np.random.default_rng(seed)
    trend, returns, volatility = 0.0, [], []
    for _ in range(n_dates):
        volatility.append(0.01 * np.exp(-0.5 * trend))
        common, own = rng.standard_normal(), rng.standard_normal(N_ASSETS)
        returns.append(volatility[-1] * (np.sqrt(0.5) * common + np.sqrt(0.5) * own))
        trend = 0.85 * trend + 0.15 * 4.0 * np.sqrt(0.5) * common
    return np.array(returns), np.array(volatility)


def test_a_recovery_brings_volatility_down():
    returns, volatility = _trending_volatility(2500, seed=4)
    fitted = fit_volatility(returns[:1500])
    error = _log_error(fitted, returns, volatility[:, None], 1500)
    weights = fitted.numbers.weights.clone()
    weights[:, 4] += weights[:, 5]  # the size of the panel's moves instead of their trend
    weights[:, 5] = 0.0
    blind = VolatilityWhitening(fitted.numbers._replace(weights=weights), fitted.pairs)
    # the log volatility has a variance of .05; most of it is the trend's, and sizes do not tell it
    assert error < 0.5 * _log_error(blind, returns, volatility[:, None], 1500)


def test_one_quiet_date_moves_the_market_averages_by_their_decays():
    whitening = fit_volatility(_common_volatility(600, shared=True)[0])
    numbers = whitening.numbers
    moved = whitening.observe(whitening.start(1), numbers.mean[None])  # a return at its mean is no shock
    smooth = SMOOTHING_DECAY + (1 - SMOOTHING_DECAY) * SIZE_DECAY
    assert moved[2][0].tolist() == pytest.approx([SIZE_DECAY, smooth, 1.0], rel=1e-12)
    scale = whitening.predict(moved).scale[0] / (numbers.deviation * numbers.unit)
    w = numbers.weights
    expected = 0.9 * w[:, 0] + 0.98 * w[:, 1] + 0.9 * w[:, 2] + 0.98 * w[:, 3] + 0.98 * (smooth * w[:, 4] + w[:, 5])
    torch.testing.assert_close(scale, numbers.constant + expected, rtol=1e-12, atol=0.0)


def test_the_jump_of_one_stale_series_does_not_start_a_rout():
    returns, _ = _common_volatility(800, shared=True)
    whitening = fit_volatility(returns)
    path = torch.from_numpy(returns.copy())[None]
    jumped = path.clone()
    jumped[0, 700, 3] = -1.0  # a hundred standard deviations
    plain, hit = (whiten_paths(whitening, x[:, :701], whitening.start(1)).final_state for x in (path, jumped))
    numbers = whitening.numbers
    # however large the jump, each average moves by its step times five over the number of assets, at most
    largest = 5.0 / N_ASSETS * numbers.market_scale
    size = (1 - SIZE_DECAY) * largest[0] * numbers.absolute_scale[3]
    moved = (hit[2][0] - plain[2][0]).abs()
    assert bool((moved[:2] <= size * torch.tensor([1.0, 1 - SMOOTHING_DECAY]) * (1 + 1e-12)).all())
    assert float(moved[2]) <= 2 * (1 - TREND_DECAY) * float(largest[1])  # from a rise of five at most to a fall of five
    before, after = whitening.predict(plain).scale[0], whitening.predict(hit).scale[0]
    assert float((after / before)[3]) > 3.0  # its own volatility does move


def test_mirrored_returns_have_mirrored_innovations():
    """What is good news and what is bad is read off the data: nothing in the whitening is for shares only."""
    returns, _ = _trending_volatility(600, seed=5)
    rows = []
    for sign in (1.0, -1.0):
        path = torch.from_numpy(sign * returns)[None]
        whitening = fit_volatility(sign * returns)
        rows.append(whiten_paths(whitening, path, whitening.start(1)).innovations[0])
    # two runs of the optimiser of the weights: their tolerance, not rounding
    torch.testing.assert_close(rows[0], -rows[1], rtol=1e-3, atol=1e-3)
