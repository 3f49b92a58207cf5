"""The market term of the volatility whitening."""

import numpy as np
import pytest
import torch

from tsgen.whitening.volatility import MARKET_DECAYS, VolatilityWhitening, market_shocks
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
    own = VolatilityWhitening(fitted.numbers._replace(weights=weights))
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
    # sizes (1 + 2 * 3) / 2, (2 + 2 * 2) / 2, and a jump that counts as five; falls -(1 - 3) / 2, none, none
    assert found.tolist() == [[3.5, 1.0], [3.0, 0.0], [2.5, 0.0]]
    # where rises are the bad news, the second asset's fall is none
    reversed_sign = torch.tensor([1.0, -1.0], dtype=torch.float64)
    assert market_shocks(ratios, scale, reversed_sign)[:, 1].tolist() == [0.0, 0.0, 0.0]


def test_one_quiet_date_moves_the_market_average_by_its_decay():
    whitening = fit_volatility(_common_volatility(600, shared=True)[0])
    numbers = whitening.numbers
    moved = whitening.observe(whitening.start(1), numbers.mean[None])
    assert moved[2][0].tolist() == pytest.approx(list(MARKET_DECAYS), rel=1e-12)  # a return at its mean is no shock
    scale = whitening.predict(moved).scale[0] / (numbers.deviation * numbers.unit)
    w = numbers.weights
    expected = 0.9 * w[:, 0] + 0.98 * w[:, 1] + 0.9 * w[:, 2] + 0.98 * w[:, 3] + 0.98 * (0.9 * w[:, 4] + 0.8 * w[:, 5])
    torch.testing.assert_close(scale, expected, rtol=1e-12, atol=0.0)


def test_the_jump_of_one_stale_series_does_not_start_a_rout():
    returns, _ = _common_volatility(800, shared=True)
    whitening = fit_volatility(returns)
    path = torch.from_numpy(returns.copy())[None]
    jumped = path.clone()
    jumped[0, 700, 3] = -1.0  # a hundred standard deviations
    plain, hit = (whiten_paths(whitening, x[:, :701], whitening.start(1)).final_state for x in (path, jumped))
    numbers = whitening.numbers
    # however large the jump, each average moves by its step times five over the number of assets, at most
    step = 1.0 - torch.tensor(MARKET_DECAYS, dtype=torch.float64)
    scale = torch.stack([numbers.absolute_scale[3], torch.ones((), dtype=torch.float64)])
    largest = step * 5.0 / N_ASSETS * scale * numbers.market_scale
    assert bool((hit[2][0] - plain[2][0] <= largest * (1 + 1e-12)).all())
    before, after = whitening.predict(plain).scale[0], whitening.predict(hit).scale[0]
    assert float((after / before)[3]) > 3.0  # its own volatility does move
