"""The memory of the location: by hand, against simulations with known numbers, and in sums of many periods."""

import numpy as np
import pytest
import torch

from tsgen.whitening.location_memory import MEMORY_DECAY, fit_location_memory, memory_terms, movement, remember
from tsgen.whitening.volatility_fit import fit_volatility
from tsgen.whitening.whitening_protocol import colour, predict_paths

WEIGHTS = np.array([0.05, -0.03, -0.08])


def _simulated(weights, *, n_paths, n_dates, n_assets, sigma=1.0, seed=0):
    """Shocks (path, date, asset): normal with deviation one about a location that moves by the formula."""
    noise = torch.from_numpy(np.random.default_rng(seed).standard_normal((n_dates, n_paths, n_assets)))
    memory = torch.zeros(n_paths, n_assets, 2, dtype=torch.float64)
    scale, rows = torch.full((n_paths, n_assets), sigma, dtype=torch.float64), []
    for draw in noise:
        rows.append(memory_terms(memory, scale) @ torch.from_numpy(weights) + draw)
        memory = remember(memory, rows[-1], scale)
    return torch.stack(rows, dim=1).numpy()


def test_terms_by_hand():
    one = torch.ones(1, 2, dtype=torch.float64)
    memory = torch.zeros(1, 2, 2, dtype=torch.float64)
    for shock in ([1.0, 3.0], [-100.0, 2.0]):  # the fall counts as four standard deviations
        memory = remember(memory, torch.tensor([shock], dtype=torch.float64), one)
    np.testing.assert_allclose(memory[0].numpy(), [[-4.0, 0.8 - 4.0], [2.0, 2.4 + 2.0]], rtol=1e-12)
    terms = memory_terms(memory, torch.tensor([[0.5, 7.0]], dtype=torch.float64))  # the factor is at most three
    # means over the assets: last -1, sum (-3.2 + 4.4) / 2 = 0.6
    expected = [[0.5 * -3.0, 0.5 * -3.8, 0.5 * 0.6], [3 * 3.0, 3 * 3.8, 3 * 0.6]]
    np.testing.assert_allclose(terms[0].numpy(), expected, rtol=1e-12)


# Recency weights r^t keep (1 + r) / (1 - r) (1 - r^T) / (1 + r^T) = 3,006 of 4,940 dates. A date of twelve assets
# adds 11 to what is known of w_1, 11 / (1 - .64) to that of w_2 (11 between them) and 1 / (1 - .64) to that of w_3.
DATES = 3006.0
INFORMATION = DATES * np.array([[11.0, 11.0, 0.0], [11.0, 11.0 / 0.36, 0.0], [0.0, 0.0, 1.0 / 0.36]])


def test_movement_is_the_terms_times_their_weights():
    rng = np.random.default_rng(0)
    memory, sigma, weights = (torch.from_numpy(rng.standard_normal(n)) for n in ((5, 3, 2), (5, 3), 3))
    expected = memory_terms(memory, 4.0 * sigma.abs()) @ weights
    torch.testing.assert_close(movement(memory, 4.0 * sigma.abs(), weights), expected, rtol=1e-12, atol=1e-12)


def test_known_numbers_are_found():
    found = []
    for seed in range(3):
        (shocks,) = _simulated(WEIGHTS, n_paths=1, n_dates=5000, n_assets=12, seed=seed)
        found.append(fit_location_memory(shocks, np.ones_like(shocks), 60)[0])
    mean_squares = np.diag(INFORMATION) / (12.0 * DATES)
    prior = np.diag(mean_squares / np.array([0.01, 0.01, 0.02]) ** 2)
    expected = np.linalg.solve(INFORMATION + prior, INFORMATION @ WEIGHTS)
    error = np.sqrt(np.diag(np.linalg.inv(INFORMATION))) / np.sqrt(3)
    # 3.5 errors; INFORMATION is that of independent shocks, the numbers themselves change it by up to a tenth
    np.testing.assert_array_less(np.abs(np.mean(found, axis=0) - expected), 3.5 * error + 0.1 * np.abs(expected))


def test_shuffled_dates_leave_next_to_nothing():
    (shocks,) = _simulated(WEIGHTS, n_paths=1, n_dates=5000, n_assets=12)
    shuffled = shocks[np.random.default_rng(1).permutation(len(shocks))]
    true, chance = (fit_location_memory(x, np.ones_like(x), 60)[1][60:].std() for x in (shocks, shuffled))
    # each of three numbers that mean nothing adds 1 / (assets * dates) to the variance of the movement
    largest = 3.0 * np.sqrt(3.0 / (12.0 * DATES))
    assert chance < largest < true


def test_a_single_asset_is_its_own_market():
    (shocks,) = _simulated(np.array([0.0, 0.0, -0.08]), n_paths=1, n_dates=5000, n_assets=1)
    weights, movement = fit_location_memory(shocks, np.ones_like(shocks), 60)
    assert weights[:2].tolist() == [0.0, 0.0]
    # information 3,006 / .36, prior 1 / .36 / .02^2: the weight is shrunk to .546 of -.08, four errors of .006 about it
    assert weights[2] == pytest.approx(-0.0437, abs=0.024)
    np.testing.assert_allclose(movement[1], weights[2] * np.clip(shocks[0], -4.0, 4.0), rtol=1e-9)


@pytest.mark.parametrize(("weights", "ratio_below_one"), [(WEIGHTS, True), (-WEIGHTS, False)])
def test_sums_spread_as_the_impulse_responses_say(weights, ratio_below_one):
    periods, n_paths = 20, 40_000
    # at sigma three the clip is twelve deviations away: the recursion is linear, and its factor is three
    shocks = _simulated(weights / 3.0, n_paths=n_paths, n_dates=periods, n_assets=2, sigma=3.0)
    sums = shocks.sum(axis=1)

    def variance_of_sum(last, total):
        response, memory = [1.0], np.array([1.0, 1.0])
        for _ in range(periods - 1):
            response.append(last * memory[0] + total * memory[1])
            memory = np.array([response[-1], MEMORY_DECAY * memory[1] + response[-1]])
        return float((np.cumsum(response) ** 2).sum())

    found = [sums.mean(axis=1).var(), (0.5 * (sums[:, 0] - sums[:, 1])).var()]
    expected = [0.5 * variance_of_sum(0.0, weights[2]), 0.5 * variance_of_sum(weights[0], weights[1])]
    error = np.sqrt(2.0 / n_paths)  # of the variance of a normal sample
    np.testing.assert_allclose(found, expected, rtol=4.0 * error)
    assert bool(found[0] < 0.5 * periods) is ratio_below_one


@pytest.mark.slow
def test_the_fitted_whitening_forecasts_dates_that_it_has_not_seen():
    (shocks,) = _simulated(WEIGHTS, n_paths=1, n_dates=4000, n_assets=12)
    returns = torch.from_numpy(0.01 * shocks)
    whitening = fit_volatility(returns[:3000].numpy())
    numbers = whitening.numbers._replace(memory_weights=torch.zeros(3, dtype=torch.float64))
    still = type(whitening)(numbers, whitening.pairs)
    squares = []
    for fitted in (whitening, still):
        location = predict_paths(fitted, returns[None], fitted.start(1))[0].location
        squares.append(((returns - location) / 0.01)[3000:].square().mean(dim=1))
    difference = squares[1] - squares[0]  # per date; independent shocks, so the plain standard error holds
    assert float(difference.mean() / (difference.std() / len(difference) ** 0.5)) > 2.0


def test_assets_that_move_as_one_are_one_market():
    (shocks,) = _simulated(WEIGHTS, n_paths=1, n_dates=1000, n_assets=1)
    alone, _ = fit_location_memory(shocks, np.ones_like(shocks), 60)
    twice, _ = fit_location_memory(np.repeat(shocks, 2, axis=1), np.ones((1000, 2)), 60)
    np.testing.assert_allclose(twice, alone, rtol=1e-9)


def _rolled_out(whitening, *, periods, n_paths=400):
    """Largest deviation across paths of one period's return, normal innovations, from the start state."""
    state, rng, spread = whitening.hold(whitening.start(1), n_paths), np.random.default_rng(0), []
    for _ in range(periods):
        draws = torch.from_numpy(rng.standard_normal((n_paths, whitening.n_assets)))
        returns = colour(whitening.predict(state), draws)
        spread.append(float(returns.std()))
        state = whitening.imagine(state, returns)
    return max(spread)


@pytest.mark.parametrize("kind", ["smoothed", "spiked"])
def test_roll_outs_do_not_feed_on_themselves(kind):
    rng = np.random.default_rng(3)
    returns = 0.01 * rng.standard_t(5, (1500, 3))
    if kind == "spiked":
        returns[rng.random((1500, 3)) < 0.005] = 2.0
    else:
        for t in range(1, 1500):
            returns[t] += 0.5 * returns[t - 1]
    whitening = fit_volatility(returns)
    empty = torch.zeros(3, dtype=torch.float64)
    still = type(whitening)(whitening.numbers._replace(memory_weights=empty), whitening.pairs)
    # at the largest radius the location itself has a quarter of the variance of the shocks, 3^2 .05^2 / (1 - .95^2),
    # and volatility follows it: twice the deviation without a memory is allowed (4 and 400 times if nothing is scaled)
    assert _rolled_out(whitening, periods=250) < 2.0 * _rolled_out(still, periods=250)
