"""Factor whitening: the root against dense linear algebra, the fit against known factor models."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tsgen.errors import ConfigError, DataError
from tsgen.generator import GeneratorConfig
from tsgen.generator.residual_map_fit import common_direction
from tsgen.generator.whitened_data import fit_whitening, whitened_rows
from tsgen.whitening.factor_analysis import factor_analysis, gaussian_loss, number_of_factors
from tsgen.whitening.factor_volatility import FactorWhitening, shocks_of
from tsgen.whitening.factor_volatility_fit import fit_factor_volatility
from tsgen.whitening.low_rank_root import low_rank_root
from tsgen.whitening.volatility_fit import fit_volatility
from tsgen.whitening.whitening_protocol import colour, whiten_paths


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def factor_panel(n_dates, n_assets, n_factors, *, seed, dof=np.inf):
    """Independent dates; returns the panel and its covariance."""
    rng = np.random.default_rng(seed)
    strength = 0.01 / np.arange(1, n_factors + 1) ** 0.5
    loadings = strength * rng.standard_normal((n_assets, n_factors))
    loadings[:, 0] = 0.008 + 0.002 * rng.standard_normal(n_assets)
    deviation = rng.uniform(0.008, 0.02, n_assets)

    def shocks(n):
        x = rng.standard_normal((n_dates, n))
        return x if np.isinf(dof) else x * np.sqrt((dof - 2) / rng.chisquare(dof, (n_dates, n)))

    returns = shocks(n_factors) @ loadings.T + shocks(n_assets) * deviation
    return returns, loadings @ loadings.T + np.diag(deviation**2)


def relative_error(covariance, truth):
    return np.linalg.norm(covariance - truth) / np.linalg.norm(truth)


def long_run(whitening):
    loadings = whitening.numbers.loadings.numpy()
    return loadings @ loadings.T + np.diag(whitening.numbers.deviation.numpy() ** 2)


def test_root_is_the_symmetric_root_of_the_dense_matrix():
    loadings, rows, factors = draws(9, 3), draws(4, 9, seed=1).abs() + 0.2, draws(4, 3, seed=2).abs() + 0.2
    root = low_rank_root(loadings, rows, factors)
    bent = rows[:, :, None] * loadings * factors[:, None, :]
    dense = torch.eye(9, dtype=torch.float64) + bent @ bent.transpose(1, 2)
    values, vectors = torch.linalg.eigh(dense)
    expected = (vectors * values.sqrt()[:, None, :]) @ vectors.transpose(1, 2)
    torch.testing.assert_close(root.dense(), expected, rtol=1e-11, atol=1e-11)
    z = draws(4, 9, seed=3)
    torch.testing.assert_close(root.colour(z), (expected @ z[:, :, None])[:, :, 0], rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(root.whiten(root.colour(z)), z, rtol=1e-11, atol=1e-11)


def test_root_is_stable_in_single_precision_from_no_factor_to_a_dominating_one():
    for size in (0.0, 1e-4, 30.0):
        loadings = size * draws(400, 5).float()
        root = low_rank_root(loadings, torch.ones(3, 400), torch.ones(3, 5))
        z = draws(3, 400, seed=1).float()
        # 5 eps times the condition of the root, about size * sqrt(400)
        error = (root.whiten(root.colour(z)) - z).abs().max()
        assert error < 5 * 6e-8 * (1 + size * 20) ** 2
        assert torch.isfinite(root.colour(z)).all()


def test_predicted_covariance_is_the_factor_model():
    panel, _ = factor_panel(400, 12, 2, seed=0)
    whitening = fit_factor_volatility(panel, n_factors=2)
    state = whitening.start(1)
    for row in torch.from_numpy(panel[:30]):
        state = whitening.observe(state, row[None])
    own, factors = whitening.variances(state)
    numbers = whitening.numbers
    expected = (numbers.loadings * factors) @ numbers.loadings.T + torch.diag(numbers.deviation**2 * own[0])
    prediction = whitening.predict(state)
    columns = colour(whitening.predict(whitening.hold(state, 12)), torch.eye(12, dtype=torch.float64))
    mixing = (columns - prediction.location).T
    torch.testing.assert_close(mixing @ mixing.T, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("n_factors", "dof"), [(0, np.inf), (1, np.inf), (4, np.inf), (4, 5.0)])
def test_held_out_quarters_find_the_number_of_factors(n_factors, dof):
    panel, _ = factor_panel(1500, 80, max(n_factors, 1), seed=3, dof=dof)
    if n_factors == 0:
        panel = np.random.default_rng(0).standard_normal((1500, 80))
    assert number_of_factors(panel / panel.std(axis=0)) == n_factors


def test_likelihood_without_forming_the_covariance_equals_the_dense_one():
    panel, _ = factor_panel(500, 15, 2, seed=0)
    rows = panel / panel.std(axis=0)
    fitted = factor_analysis(np.corrcoef(rows.T), 2)
    covariance = fitted.correlation()
    dense = 0.5 * (np.einsum("ti,ij,tj->t", rows, np.linalg.inv(covariance), rows).mean())
    dense += 0.5 * np.linalg.slogdet(covariance)[1]
    assert gaussian_loss(fitted, rows) == pytest.approx(dense, rel=1e-10)
    np.testing.assert_allclose(np.diag(covariance), 1.0, atol=1e-12)


def test_factor_analysis_recovers_an_exact_correlation():
    rng = np.random.default_rng(0)
    loadings = rng.uniform(0.2, 0.6, (40, 2)) * np.array([1.0, -1.0]) ** rng.integers(0, 2, (40, 2))
    exact = loadings @ loadings.T
    np.fill_diagonal(exact, 1.0)
    np.testing.assert_allclose(factor_analysis(exact, 2).correlation(), exact, atol=2e-3)  # 20 times the stopping rule
    off = factor_analysis(exact, 1).correlation() - exact
    assert np.abs(off).max() > 0.1  # one factor too few must be seen


@pytest.mark.parametrize("dof", [np.inf, 5.0])
def test_long_run_covariance_is_as_good_as_a_factor_estimate_that_knows_the_number(dof):
    panel, truth = factor_panel(2500, 150, 5, seed=7, dof=dof)
    centred = panel - panel.mean(axis=0)
    sample = centred.T @ centred / len(panel)
    values, vectors = np.linalg.eigh(sample)
    known = (vectors[:, -5:] * values[-5:]) @ vectors[:, -5:].T
    known += np.diag(np.diag(sample - known))
    own = relative_error(long_run(fit_factor_volatility(panel)), truth)
    assert own < 1.2 * relative_error(known, truth)
    assert own < 0.9 * relative_error(sample, truth)  # and better than no structure
    assert relative_error(long_run(fit_factor_volatility(panel, n_factors=1)), truth) > 1.2 * own


def test_constant_volatility_is_found_to_be_constant():
    panel, _ = factor_panel(2000, 60, 2, seed=1)
    whitening = fit_factor_volatility(panel, n_factors=2)
    state = whitening.start(1)
    path = []
    for row in torch.from_numpy(panel):
        state = whitening.observe(state, row[None])
        path.append(torch.cat([v.flatten() for v in whitening.variances(state)]))
    # the 2,000 dates identify the weights to a few percent: the fitted variances hardly move
    assert torch.stack(path)[200:].std(dim=0).max() < 0.08


def test_roll_outs_stay_at_the_long_run_covariance():
    panel, _ = factor_panel(1500, 40, 2, seed=1, dof=6.0)
    whitening = fit_factor_volatility(panel, n_factors=2)
    state = whitening.hold(whitening.start(1), 4000)
    total = torch.zeros(40, 40, dtype=torch.float64)
    for t in range(40):
        returns = colour(whitening.predict(state), draws(4000, 40, seed=t))
        centred = returns - whitening.numbers.mean
        total += centred.T @ centred / 4000 / 40
        state = whitening.imagine(state, returns)
    # 160,000 rows, correlated in variance: two percent is several standard errors of a variance
    ratio = torch.diagonal(total).numpy() / np.diag(long_run(whitening))
    np.testing.assert_allclose(ratio, 1.0, atol=0.03)


def test_volatility_of_a_factor_and_of_one_asset_move_apart():
    panel, _ = factor_panel(1500, 60, 1, seed=5)
    rng = np.random.default_rng(0)
    level = np.exp(0.8 * np.sin(np.arange(1500) / 60))
    panel += 0.02 * (level * rng.standard_normal(1500))[:, None]  # a market factor whose volatility moves
    whitening = fit_factor_volatility(panel, n_factors=1)
    state = whitening.start(1)
    calm = whitening.variances(state)
    market_day = whitening.observe(state, torch.full((1, 60), 0.15, dtype=torch.float64))
    one = torch.zeros(1, 60, dtype=torch.float64)
    one[0, 7] = 0.2
    own_day = whitening.observe(state, one)
    assert whitening.variances(market_day)[1] > 2 * calm[1]
    assert whitening.variances(own_day)[1] < 1.5 * calm[1]
    assert whitening.numbers.factor_weights[0, 0] < 0.8


def test_a_price_spike_moves_its_own_asset_only():
    panel, _ = factor_panel(800, 60, 2, seed=2)
    before = fit_factor_volatility(panel, n_factors=2)
    spiked = panel.copy()
    spiked[400, 3] = 2.0  # a hundred standard deviations
    after = fit_factor_volatility(spiked, n_factors=2)
    others = np.delete(np.arange(60), 3)
    change = (long_run(after) - long_run(before))[np.ix_(others, others)]
    assert np.linalg.norm(change) < 0.02 * np.linalg.norm(long_run(before)[np.ix_(others, others)])
    assert shocks_of(torch.from_numpy(spiked), after.numbers).own.max() <= 50.0


def test_no_factor_is_a_diagonal_model():
    panel = 0.01 * np.random.default_rng(0).standard_normal((300, 8))
    whitening = fit_factor_volatility(panel, n_factors=0)
    assert whitening.predict(whitening.start(2)).root is None
    again = FactorWhitening.restore(whitening.arrays(), whitening.facts())
    assert (again.n_factors, again.n_features) == (0, 1)


def test_bad_input_is_explained():
    panel = 0.01 * np.random.default_rng(0).standard_normal((300, 8))
    with pytest.raises(DataError, match="at least 100 dates: got 99"):
        fit_factor_volatility(panel[:99])
    with pytest.raises(ConfigError, match="n_factors must be between 0 and the number of assets - 1 = 7: got 8"):
        fit_factor_volatility(panel, n_factors=8)
    panel[:, 2] = 0.001
    with pytest.raises(DataError, match=r"assets at positions \[2\] never move"):
        fit_factor_volatility(panel)


@pytest.mark.parametrize("spike", [0.1, 0.5, 5.0])
def test_a_price_spike_does_not_widen_its_own_series(spike):
    """One return of up to five hundred deviations in 1,300 dates: eight deviations of it are 2.5 % of the scale."""
    returns, _ = factor_panel(1300, 20, 1, seed=6)
    plain = fit_factor_volatility(returns)
    returns[400, 3] = spike
    spiked = fit_factor_volatility(returns)
    change = torch.as_tensor(np.diag(long_run(spiked)) / np.diag(long_run(plain))).sqrt()
    assert change.tolist() == pytest.approx([1.0] * 20, abs=0.04)
    later = torch.from_numpy(returns[700:])[None]
    state = spiked.start(1)
    for row in torch.from_numpy(returns[:700]):
        state = spiked.observe(state, row[None])
    z = whiten_paths(spiked, later, state).innovations[0]
    # 600 dates: the error of a deviation is .03
    assert z.std(dim=0).tolist() == pytest.approx([1.0] * 20, abs=0.12)


@pytest.mark.parametrize("explained", [0.5, 0.96, 0.985, 0.998])
def test_funds_that_one_factor_explains_keep_their_deviation(explained):
    """With a unique variance of .05 at least, innovations of .56 deviations remained at 98.5 %, .25 at 99.8 %."""
    rng = np.random.default_rng(0)
    market = np.sqrt(explained) * rng.standard_normal((1500, 1))
    panel = 0.01 * (market + np.sqrt(1.0 - explained) * rng.standard_normal((1500, 80)))
    whitening = fit_factor_volatility(panel)
    z = whiten_paths(whitening, torch.from_numpy(panel)[None], whitening.start(1)).innovations[0, 60:]
    assert z.std(dim=0).numpy() == pytest.approx(np.ones(80), abs=0.08)  # four errors of 1,440 dates
    assert np.sqrt(np.diag(long_run(whitening))) == pytest.approx(panel.std(axis=0), rel=0.03)
    assert whitening.n_factors == 1


@pytest.mark.parametrize("share", [0.05, 0.02, 0.012, 0.004])
def test_a_series_that_hardly_moves_keeps_most_of_its_deviation(share):
    panel, _ = factor_panel(1500, 20, 1, seed=0)
    panel[np.random.default_rng(1).random(1500) > share, 3] = 0.0
    deviation = np.sqrt(np.diag(long_run(fit_factor_volatility(panel))))
    assert 0.3 < deviation[3] / panel[:, 3].std() < 1.1


def test_series_at_rest_say_nothing_on_the_volatility_of_the_others():
    """Their rare squares of a hundred made the shared recursion lose its level: volatility grew without end."""
    rng = np.random.default_rng(0)
    variance, rows = np.ones(70), []
    for _ in range(1500):
        rows.append(np.sqrt(variance) * rng.standard_t(6, 70) / np.sqrt(1.5))
        variance = 0.02 + 0.9 * variance + 0.08 * rows[-1] ** 2
    panel = 0.01 * np.array(rows)
    alone = fit_factor_volatility(panel[:, 10:]).numbers.own_weights
    panel[:, :10][rng.random((1500, 10)) > 0.01] = 0.0
    numbers = fit_factor_volatility(panel).numbers
    torch.testing.assert_close(numbers.common_weights, torch.tensor([0.0] * 10 + [1 / 60] * 60, dtype=torch.float64))
    torch.testing.assert_close(numbers.own_weights, alone, rtol=0.0, atol=0.02)
    assert float(numbers.own_weights[0]) > 0.1


def test_a_spike_does_not_set_the_deviation_of_its_series():
    panel, _ = factor_panel(1500, 20, 1, seed=0)
    before = np.sqrt(np.diag(long_run(fit_factor_volatility(panel))))[3]
    panel[700, 3] = 100.0 * panel[:, 3].std()
    assert np.sqrt(np.diag(long_run(fit_factor_volatility(panel))))[3] == pytest.approx(before, rel=0.1)


def test_days_of_the_factor_are_no_spikes():
    """In units of idiosyncratic deviations a factor's ordinary day is ten: nothing of it is cut off for training."""
    rng = np.random.default_rng(0)
    paths = torch.from_numpy(0.01 * (rng.standard_normal((400, 1)) + 0.15 * rng.standard_normal((400, 70))))[None]
    config = GeneratorConfig.preset("fast")
    whitening = fit_whitening(paths, is_panel=True, config=config, family="")
    assert isinstance(whitening, FactorWhitening)
    exact = whiten_paths(whitening, paths, whitening.start(1)).innovations[0]
    rows = whitened_rows(whitening, paths, config, "cpu").innovations[0]
    torch.testing.assert_close(rows.double(), exact.clamp(-10.0, 10.0), rtol=1e-6, atol=1e-5)


def test_factors_are_not_mapped_along_a_common_direction():
    """The market factor's law is known worse from its own residuals than from all coordinates together."""
    panel, _ = factor_panel(400, 12, 1, seed=0)
    whitening = fit_factor_volatility(panel, n_factors=1)
    assert not common_direction(SimpleNamespace(whitening=whitening)).any()
    assert common_direction(SimpleNamespace(whitening=fit_volatility(panel))).any()


def test_two_funds_on_one_index_keep_their_deviation_and_their_difference():
    panel, _ = factor_panel(1500, 70, 3, seed=0)
    rng = np.random.default_rng(1)
    panel[:, 1] = panel[:, 0] + 0.001 * rng.standard_normal(1500)
    panel[:, 3] = 1.1 * panel[:, 2] + 0.0005 * rng.standard_normal(1500)
    whitening = fit_factor_volatility(panel)
    covariance = long_run(whitening)
    assert np.sqrt(np.diag(covariance))[:4] == pytest.approx(panel[:, :4].std(axis=0), rel=0.05)
    for long, short, size in ((1, 0, 1.0), (3, 2, 1.1)):
        weights = np.zeros(70)
        weights[[long, short]] = 1.0, -size
        # the bound of factor analysis alone leaves each fund a tenth of its deviation: 2.6 and 6.5 times the truth
        assert np.sqrt(weights @ covariance @ weights) == pytest.approx((panel @ weights).std(), rel=0.25)
    z = whiten_paths(whitening, torch.from_numpy(panel)[None], whitening.start(1)).innovations[0, 60:]
    assert z.std(dim=0).numpy() == pytest.approx(np.ones(70), abs=0.12)
