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
from tsgen.whitening.factor_root import factor_root
from tsgen.whitening.factor_volatility_fit import fit_factor_volatility
from tsgen.whitening.market_volatility import market_trend
from tsgen.whitening.moving_correlation import (
    DIRECTION_WEIGHT,
    correlation_of,
    pressure_on_direction,
)
from tsgen.whitening.pair_correlation import FactorPairs, relative_strength
from tsgen.whitening.volatility import LEVEL_SHARE, VolatilityWhitening
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


def long_run(whitening, panel):
    """Mean predicted covariance of the recorded dates, with the innovations as large as they came out."""
    paths = torch.from_numpy(panel.copy())[None]
    recorded = whiten_paths(whitening, paths, whitening.start(1)).innovations[0, 60:]
    state, scale = whitening.start(1), []
    root = whitening.predict(state).root.dense()[0]
    for row in paths[0]:
        scale.append(whitening.predict(state).scale[0])
        state = whitening.observe(state, row[None])
    size = torch.stack(scale[60:]).square().mean(dim=0).sqrt()[:, None] * root * recorded.std(dim=0)
    return (size @ size.T).numpy()


def level_share(whitening):
    """Share of the volatility that does not move, mean over the assets."""
    numbers = whitening.numbers
    return float((numbers.constant / (numbers.constant + numbers.weights.sum(dim=1))).mean())


def test_root_is_a_root_of_the_dense_matrix():
    loadings, unique, strength = draws(9, 3), draws(9, seed=1).abs() + 0.2, draws(4, 3, seed=2).abs()
    root = factor_root(loadings, unique, strength)
    dense = correlation_of((loadings * strength[:, None]) @ loadings.T + torch.diag(unique))
    z = draws(4, 9, seed=3)
    matrix = torch.stack([root.colour(row.expand(4, -1)) for row in torch.eye(9, dtype=torch.float64)], dim=2)
    torch.testing.assert_close(matrix @ matrix.transpose(1, 2), dense, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(root.transposed(z), (matrix.transpose(1, 2) @ z[:, :, None])[:, :, 0])
    torch.testing.assert_close(root.correlated(z), (dense @ z[:, :, None])[:, :, 0])
    torch.testing.assert_close(root.whiten(root.colour(z)), z, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(root.repeated(2).colour(z.repeat(2, 1)), root.colour(z).repeat(2, 1))


def test_root_is_stable_in_single_precision_from_no_factor_to_a_dominating_one():
    for size in (0.0, 1e-4, 30.0):
        root = factor_root(size * draws(400, 5).float(), torch.ones(400), torch.ones(3, 5))
        z = draws(3, 400, seed=1).float()
        # 5 eps times the condition of the root, about size * sqrt(400)
        error = (root.whiten(root.colour(z)) - z).abs().max()
        assert error < 5 * 6e-8 * (1 + size * 20) ** 2
        assert torch.isfinite(root.colour(z)).all()


def test_predicted_covariance_is_that_of_factors_under_pressure():
    """D^-1 (I + s v v') (a^2 R + (1 - a^2) R v v'R / v'Rv) (I + s v v') D^-1, scaled: the formulas with matrices."""
    panel, _ = factor_panel(400, 12, 2, seed=0)
    whitening = fit_factor_volatility(panel, n_factors=2)
    weights = (torch.tensor(x, dtype=torch.float64) for x in (0.8, 0.4))
    numbers = whitening.pairs.numbers._replace(**dict(zip(("slow_weight", "direction_weight"), weights, strict=True)))
    followed = whitening.numbers._replace(dispersion_weight=torch.tensor(0.5, dtype=torch.float64))
    whitening = VolatilityWhitening(followed, FactorPairs(numbers))
    state = whitening.start(1)
    for row in torch.from_numpy(panel[:30]):
        state = whitening.observe(state, row[None])
    v, strength = whitening.numbers.direction, 0.2 + 0.8 * relative_strength(state[4])[0]
    assert float((strength - 1.0).abs().min()) > 1e-3
    correlation = correlation_of((numbers.loadings * strength) @ numbers.loadings.T + torch.diag(numbers.unique))
    pressure = pressure_on_direction(state[-2], market_trend(state[2]))
    along = correlation @ v
    around = 1.0 + 0.5 * (float(state[-1]) - 1.0)
    spread = around**2 * correlation + (1.0 - around**2) * torch.outer(along, along) / (v @ along)
    stretch = torch.eye(12, dtype=torch.float64) + (float((0.6 + 0.4 * pressure).sqrt()) - 1.0) * torch.outer(v, v)
    bent = torch.diagonal(stretch @ correlation @ stretch).rsqrt()
    expected = (stretch @ spread @ stretch) * torch.outer(bent, bent)
    assert abs(float(pressure) - 1.0) > 0.1
    assert abs(around - 1.0) > 1e-3
    prediction = whitening.predict(state)
    columns = colour(whitening.predict(whitening.hold(state, 12)), torch.eye(12, dtype=torch.float64))
    mixing = ((columns - prediction.location) / prediction.scale).T
    torch.testing.assert_close(mixing @ mixing.T, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(mixing, prediction.root.dense()[0], rtol=1e-10, atol=1e-12)


def test_factors_that_grow_stronger_are_followed():
    """Correlations of .1 in the first half and .6 in the second: the average of a year and a half sees most of it."""
    rng = np.random.default_rng(0)
    share = np.where(np.arange(3000) < 1500, 0.1, 0.6)[:, None]
    panel = 0.01 * (
        np.sqrt(share) * rng.standard_normal((3000, 1)) + np.sqrt(1 - share) * rng.standard_normal((3000, 70))
    )
    whitening = fit_factor_volatility(panel)
    assert float(whitening.pairs.numbers.slow_weight) > 0.5
    state = whitening.start(1)
    for row in torch.from_numpy(panel):
        state = whitening.observe(state, row[None])
    found = whitening.predict(state).root.dense()[0]
    found = correlation_of(found @ found.T)
    assert float((found.sum() - 70) / (70 * 69)) == pytest.approx(0.6, abs=0.12)


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


@pytest.mark.slow
@pytest.mark.parametrize("dof", [np.inf, 5.0])
def test_long_run_covariance_is_as_good_as_a_factor_estimate_that_knows_the_number(dof):
    panel, truth = factor_panel(2500, 150, 5, seed=7, dof=dof)
    centred = panel - panel.mean(axis=0)
    sample = centred.T @ centred / len(panel)
    values, vectors = np.linalg.eigh(sample)
    known = (vectors[:, -5:] * values[-5:]) @ vectors[:, -5:].T
    known += np.diag(np.diag(sample - known))
    own = relative_error(long_run(fit_factor_volatility(panel), panel), truth)
    assert own < 1.2 * relative_error(known, truth)
    assert own < 0.95 * relative_error(sample, truth)  # and better than no structure
    assert relative_error(long_run(fit_factor_volatility(panel, n_factors=1), panel), truth) > 1.2 * own


def test_constant_volatility_is_found_to_be_constant():
    panel, _ = factor_panel(2000, 60, 2, seed=1)
    whitening = fit_factor_volatility(panel, n_factors=2)
    state, path = whitening.start(1), []
    for row in torch.from_numpy(panel):
        state = whitening.observe(state, row[None])
        path.append(whitening.predict(state).scale[0].log())
    # 2,000 dates of 60 series identify the weights to a percent; what narrow panels use would move by seven
    assert torch.stack(path)[200:].std(dim=0).max() < 0.02
    assert level_share(whitening) > 0.9
    # the error of a strength between zero and one is about .15
    assert whitening.pairs.direction_weight <= 0.3 * DIRECTION_WEIGHT
    assert float(whitening.pairs.numbers.slow_weight) <= 0.3


def test_volatility_that_moves_is_found_to_move():
    panel, _ = factor_panel(2000, 60, 2, seed=1)
    level = np.exp(0.6 * np.sin(np.arange(2000) / 40))[:, None]
    market = 0.01 * np.exp(0.8 * np.sin(np.arange(2000) / 60)) * np.random.default_rng(0).standard_normal(2000)
    whitening = fit_factor_volatility(level * panel + market[:, None], n_factors=2)
    assert LEVEL_SHARE < level_share(whitening) < 0.3
    assert whitening.pairs.direction_weight >= 0.5 * DIRECTION_WEIGHT
    moving = torch.from_numpy(level * panel + market[:, None])
    z = whiten_paths(whitening, moving[None], whitening.start(1)).innovations[0, 60:]

    def scatter(values):  # of sixty-day means of the squares of all series, over their mean
        squares = values.square().mean(dim=1)[: len(values) // 60 * 60].reshape(-1, 60).mean(dim=1)
        return float(squares.std() / squares.mean())

    # the level moves by 1.5 % a day and the filter lags ten to twenty days behind
    assert scatter(z) < 0.25 < 0.5 < scatter(moving[60:])


def test_roll_outs_stay_at_the_long_run_covariance():
    panel, truth = factor_panel(1500, 40, 2, seed=1)
    whitening = fit_factor_volatility(panel, n_factors=2)
    state = whitening.hold(whitening.start(1), 4000)
    total = torch.zeros(40, 40, dtype=torch.float64)
    for t in range(40):
        prediction = whitening.predict(state)
        returns = colour(prediction, draws(4000, 40, seed=t))
        centred = returns - prediction.location
        total += centred.T @ centred / 4000 / 40
        state = whitening.imagine(state, returns)
    # 160,000 rows, correlated in variance: two percent is several standard errors of a variance
    ratio = torch.diagonal(total).numpy() / panel.var(axis=0)
    np.testing.assert_allclose(ratio, 1.0, atol=0.04)
    assert relative_error(total.numpy(), truth) < 1.2 * relative_error(np.cov(panel.T), truth)


def test_volatility_of_the_market_and_of_one_asset_move_apart():
    panel, _ = factor_panel(1500, 60, 1, seed=5)
    rng = np.random.default_rng(0)
    level = np.exp(0.8 * np.sin(np.arange(1500) / 60))
    panel = level[:, None] * panel + 0.02 * (level * rng.standard_normal(1500))[:, None]
    whitening = fit_factor_volatility(panel, n_factors=1)
    state = whitening.start(1)
    calm = whitening.predict(state).scale[0]
    market_day = whitening.observe(state, torch.full((1, 60), -0.15, dtype=torch.float64))
    one = torch.zeros(1, 60, dtype=torch.float64)
    one[0, 7] = 0.2
    after_market, after_own = (
        whitening.predict(s).scale[0] / calm for s in (market_day, whitening.observe(state, one))
    )
    others = np.delete(np.arange(60), 7)
    assert after_market.min() > 1.2
    assert after_own[7] > 1.1
    assert after_own[others].max() < 1.05
    assert float(market_day[-2]) > 1.5 > 1.1 > float(whitening.observe(state, one)[-2])


def test_a_price_spike_moves_its_own_asset_only():
    panel, _ = factor_panel(800, 60, 2, seed=2)
    before = long_run(fit_factor_volatility(panel, n_factors=2), panel)
    spiked = panel.copy()
    spiked[400, 3] = 2.0  # a hundred standard deviations
    after = long_run(fit_factor_volatility(spiked, n_factors=2), panel)
    others = np.delete(np.arange(60), 3)
    change = (after - before)[np.ix_(others, others)]
    assert np.linalg.norm(change) < 0.03 * np.linalg.norm(before[np.ix_(others, others)])


def test_no_factor_is_a_diagonal_model():
    panel = 0.01 * np.random.default_rng(0).standard_normal((300, 8))
    whitening = fit_factor_volatility(panel, n_factors=0)
    prediction = whitening.predict(whitening.start(2))
    torch.testing.assert_close(prediction.root.dense(), torch.eye(8, dtype=torch.float64).expand(2, -1, -1))
    again = VolatilityWhitening.restore(whitening.arrays(), whitening.facts())
    assert (again.facts()["n_factors"], again.n_features, again.kind) == (0, 3, "factor")


def test_bad_input_is_explained():
    panel = 0.01 * np.random.default_rng(0).standard_normal((300, 8))
    with pytest.raises(DataError, match="at least 100 dates: got 99"):
        fit_factor_volatility(panel[:99])
    with pytest.raises(ConfigError, match="n_factors must be between 0 and the number of assets - 1 = 7: got 8"):
        fit_factor_volatility(panel, n_factors=8)
    panel[:, 2] = 0.001
    with pytest.raises(DataError, match=r"assets at positions \[2\] never move"):
        fit_factor_volatility(panel)


@pytest.mark.parametrize("spike", [0.1, *(pytest.param(s, marks=pytest.mark.slow) for s in (0.5, 5.0))])
def test_a_price_spike_does_not_widen_its_own_series(spike):
    """One return of up to five hundred deviations in 1,300 dates: the deviation of the other dates changes little."""
    returns, _ = factor_panel(1300, 20, 1, seed=6)
    plain = long_run(fit_factor_volatility(returns), returns)
    spiked = returns.copy()
    spiked[400, 3] = spike
    whitening = fit_factor_volatility(spiked)
    change = np.sqrt(np.diag(long_run(whitening, returns)) / np.diag(plain))
    assert change.tolist() == pytest.approx([1.0] * 20, abs=0.04)
    state = whitening.start(1)
    for row in torch.from_numpy(spiked[:700]):
        state = whitening.observe(state, row[None])
    z = whiten_paths(whitening, torch.from_numpy(returns[700:])[None], state).innovations[0]
    # 600 dates: the error of a deviation is .03
    assert z.std(dim=0).tolist() == pytest.approx([1.0] * 20, abs=0.12)


@pytest.mark.parametrize("explained", [*(pytest.param(e, marks=pytest.mark.slow) for e in (0.5, 0.96, 0.985)), 0.998])
def test_funds_that_one_factor_explains_keep_their_deviation(explained):
    """With a unique variance of .05 at least, innovations of .56 deviations remained at 98.5 %, .25 at 99.8 %."""
    rng = np.random.default_rng(0)
    market = np.sqrt(explained) * rng.standard_normal((1500, 1))
    panel = 0.01 * (market + np.sqrt(1.0 - explained) * rng.standard_normal((1500, 80)))
    whitening = fit_factor_volatility(panel)
    z = whiten_paths(whitening, torch.from_numpy(panel)[None], whitening.start(1)).innovations[0, 60:]
    assert z.std(dim=0).numpy() == pytest.approx(np.ones(80), abs=0.08)  # four errors of 1,440 dates
    assert np.sqrt(np.diag(long_run(whitening, panel))) == pytest.approx(panel.std(axis=0), rel=0.03)
    assert whitening.facts()["n_factors"] == 1


@pytest.mark.parametrize("share", [0.05, 0.02, 0.012, 0.004])
def test_a_series_that_hardly_moves_keeps_most_of_its_deviation(share):
    panel, _ = factor_panel(1500, 20, 1, seed=0)
    panel[np.random.default_rng(1).random(1500) > share, 3] = 0.0
    whitening = fit_factor_volatility(panel)
    rows = whiten_paths(whitening, torch.from_numpy(panel)[None], whitening.start(1)).innovations[0, 60:]
    state, total = whitening.hold(whitening.start(1), 2000), 0.0
    for t in range(60):
        picked = torch.from_numpy(np.random.default_rng(t).integers(0, len(rows), 2000))
        returns = colour(whitening.predict(state), rows[picked])
        state, total = whitening.imagine(state, returns), total + float(returns[:, 3].square().mean()) / 60
    assert 0.3 < np.sqrt(total) / panel[:, 3].std() < 2.0


def test_series_at_rest_say_nothing_on_the_volatility_of_the_others():
    """Their rare squares of a hundred made the shared recursion lose its level: volatility grew without end."""
    rng = np.random.default_rng(0)
    variance, rows = np.ones(70), []
    for _ in range(1500):
        rows.append(np.sqrt(variance) * rng.standard_t(6, 70) / np.sqrt(1.5))
        variance = 0.02 + 0.9 * variance + 0.08 * rows[-1] ** 2
    panel = 0.01 * np.array(rows)
    alone = fit_factor_volatility(panel[:, 10:])
    panel[:, :10][rng.random((1500, 10)) > 0.01] = 0.0
    whitening = fit_factor_volatility(panel)
    shares = [
        w.numbers.weights[-1] / (w.numbers.weights[-1].sum() + w.numbers.constant[-1]) for w in (alone, whitening)
    ]
    torch.testing.assert_close(*shares, rtol=0.0, atol=0.03)
    assert float(shares[0][:2].sum()) > 0.3


def test_days_of_the_factor_are_no_spikes():
    """Shocks are in units of the whole volatility: a factor's ordinary day is one of them, and none is cut off."""
    rng = np.random.default_rng(0)
    paths = torch.from_numpy(0.01 * (rng.standard_normal((400, 1)) + 0.15 * rng.standard_normal((400, 70))))[None]
    config = GeneratorConfig.preset("fast")
    whitening = fit_whitening(paths, is_panel=True, config=config, family="")
    assert whitening.kind == "factor"
    exact = whiten_paths(whitening, paths, whitening.start(1)).innovations[0]
    rows = whitened_rows(whitening, paths, config, "cpu").innovations[0]
    torch.testing.assert_close(rows.double(), exact.clamp(-10.0, 10.0), rtol=1e-6, atol=1e-5)


def test_factors_are_not_mapped_along_a_common_direction():
    """The market factor's law is known worse from its own residuals than from all coordinates together."""
    panel, _ = factor_panel(400, 12, 1, seed=0)
    whitening = fit_factor_volatility(panel, n_factors=1)
    assert not common_direction(SimpleNamespace(whitening=whitening)).any()
    assert common_direction(SimpleNamespace(whitening=fit_volatility(panel))).any()


@pytest.mark.slow
def test_two_funds_on_one_index_keep_their_deviation_and_their_difference():
    panel, _ = factor_panel(1500, 70, 3, seed=0)
    rng = np.random.default_rng(1)
    panel[:, 1] = panel[:, 0] + 0.001 * rng.standard_normal(1500)
    panel[:, 3] = 1.1 * panel[:, 2] + 0.0005 * rng.standard_normal(1500)
    whitening = fit_factor_volatility(panel)
    covariance = long_run(whitening, panel)
    assert np.sqrt(np.diag(covariance))[:4] == pytest.approx(panel[:, :4].std(axis=0), rel=0.05)
    for long, short, size in ((1, 0, 1.0), (3, 2, 1.1)):
        weights = np.zeros(70)
        weights[[long, short]] = 1.0, -size
        # the bound of factor analysis alone leaves each fund a tenth of its deviation: 2.6 and 6.5 times the truth
        assert np.sqrt(weights @ covariance @ weights) == pytest.approx((panel @ weights).std(), rel=0.25)
    z = whiten_paths(whitening, torch.from_numpy(panel)[None], whitening.start(1)).innovations[0, 60:]
    assert z.std(dim=0).numpy() == pytest.approx(np.ones(70), abs=0.12)
