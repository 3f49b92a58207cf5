"""The residual map brings the generated innovations to the law of the residuals."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from tsgen.generator.generator_config import GeneratorConfig
from tsgen.generator.residual_map_fit import (
    BANK,
    LEVELS,
    common_direction,
    fit_residual_map,
    innovation_bank,
    residual_quantiles,
)
from tsgen.generator.whitened_data import whitened_rows
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.training.head_selection import build_head, closed_form_shape
from tsgen.whitening.identity import IdentityWhitening
from tsgen.whitening.volatility_fit import fit_volatility
from tsgen.whitening.whitening_protocol import colour

N_BANK, N_ROWS = 20_000, 4_000


def normals(seed, n, n_assets=3):
    return np.random.default_rng(seed).normal(size=(n, n_assets))


def heavy(seed, n, n_assets=3):
    """Student-t(4) with unit variance: the far tails that a normal law does not have."""
    return np.random.default_rng(seed).standard_t(4, size=(n, n_assets)) / np.sqrt(2.0)


NONE = np.zeros(3)
COMMON = np.full(3, 1 / np.sqrt(3))


def test_quantiles_are_those_of_the_law():
    """Within four standard errors of an order statistic, and the shrunk tail shape adds at most 15 %."""
    found = residual_quantiles(heavy(0, 50_000, 1)[:, 0])
    exact = stats.t(4).ppf(LEVELS) / np.sqrt(2.0)
    error = 4 * np.sqrt(LEVELS * (1 - LEVELS) / 50_000) / (stats.t(4).pdf(stats.t(4).ppf(LEVELS)) * np.sqrt(2.0))
    assert (np.abs(found - exact) < error + 0.15 * np.abs(exact)).all()
    core = (LEVELS >= 0.1) & (LEVELS <= 0.9)
    assert (np.abs(found - exact) < error)[core].all()


def test_ties_stay_increasing():
    values = np.where(np.random.default_rng(1).random(3_000) < 0.8, 0.0, heavy(1, 3_000, 1)[:, 0])
    assert (np.diff(residual_quantiles(values)) > 0).all()


def test_a_series_at_rest_keeps_its_rare_moves():
    """On 2 % of dates of size ten: a Pareto tail through the noise of the others would make them a third as large."""
    rng = np.random.default_rng(13)
    values = np.where(
        rng.random(20_000) < 0.02, 10.0 * np.sign(rng.normal(size=20_000)), 0.01 * rng.normal(size=20_000)
    )
    found = residual_quantiles(values)
    assert found[[1, 2, -3, -2]] == pytest.approx([-10.0, -10.0, 10.0, 10.0], abs=0.01)  # .2 and .5 %
    assert np.abs(found[4:-4]).max() < 0.05  # 2 to 98 %


@pytest.mark.parametrize("direction", [NONE, COMMON], ids=["by asset", "with direction"])
def test_mapped_law_fits_the_residuals(direction):
    """Normal draws mapped to heavy residuals pass against fresh heavy draws; without the map they do not."""
    found = fit_residual_map(normals(0, N_BANK), heavy(1, N_ROWS), direction)
    fresh = torch.from_numpy(normals(2, 3_000))
    mapped, truth = found(fresh).numpy(), heavy(3, 3_000)
    for i in range(3):
        assert stats.ks_2samp(mapped[:, i], truth[:, i]).pvalue > 1e-3
        assert stats.ks_2samp(fresh.numpy()[:, i], truth[:, i]).pvalue < 1e-3
    exact = stats.t(4).ppf(0.995) / np.sqrt(2.0)
    # 1 % two-sided tails of 3,000 draws by 3 assets: 45 a side, 15 % error of the exceedance count, about 5 % of size
    assert np.quantile(mapped, 0.995) == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize(("n_rows", "share"), [(300, 0.3), (999, 0.999), (1_000, 1.0), (3_000, 1.0)])
def test_few_residuals_move_quantiles_part_of_the_way(n_rows, share):
    """Up to the shift that centres the mapped bank, one number for every coordinate and one for the direction."""
    residuals = heavy(11, n_rows)
    residuals -= residuals.mean(axis=0)
    found = fit_residual_map(normals(12, N_BANK), residuals, COMMON)
    wanted = np.stack([residual_quantiles(x) for x in (*residuals.T, residuals @ COMMON)])
    shift = found.target.numpy() - (share * wanted + (1 - share) * found.source.numpy())
    assert np.ptp(shift, axis=1).max() < 1e-12
    assert np.abs(shift).max() < 0.05


def test_mapped_bank_has_mean_zero():
    shifted = heavy(4, N_ROWS) + 0.3
    bank = normals(5, N_BANK) + 0.1
    for direction in (NONE, COMMON):
        found = fit_residual_map(bank, shifted, direction)
        assert np.abs(found(torch.from_numpy(bank)).mean(dim=0).numpy()).max() < 1e-4


def test_common_direction_gets_its_tail():
    """Uncorrelated coordinates with a common scale: the sum is heavy although every coordinate is matched."""
    rng = np.random.default_rng(6)
    common = rng.normal(size=(N_ROWS, 3)) * np.sqrt(rng.choice([0.5, 3.0], p=[0.8, 0.2], size=N_ROWS))[:, None]
    independent = np.column_stack([np.random.default_rng(10 + i).permutation(common[:, i]) for i in range(3)])
    bank = independent[rng.integers(0, N_ROWS, N_BANK)] @ np.eye(3)
    target = np.quantile(common @ COMMON, 0.005)
    plain, full = (fit_residual_map(bank, common, d)(torch.from_numpy(bank)).numpy() @ COMMON for d in (NONE, COMMON))
    assert np.quantile(full, 0.005) == pytest.approx(target, rel=0.08)
    assert abs(np.quantile(plain, 0.005) / target - 1) > 0.08


def test_bank_of_a_symmetric_law_has_mean_zero():
    """Not up to a sampling error of 1 / sqrt(BANK), which every generated period would add: up to rounding."""
    paths, config = torch.from_numpy(normals(7, 400))[None], GeneratorConfig.preset("fast")
    rows = whitened_rows(IdentityWhitening.fit(paths), paths, config, "cpu")
    shape = closed_form_shape(rows, config.head, n_components=0)
    head = build_head(shape, rows, torch.arange(400), seed=0)
    sampler = ConditionalSampler(head=head, whitening=IdentityWhitening.fit(paths), config=config.sampler)
    bank = innovation_bank(sampler, rows, torch.arange(400), seed=0)
    assert bank.shape == (BANK, 3)
    assert np.abs(bank.mean(axis=0)).max() < 1e-6
    assert bank.std(axis=0) == pytest.approx(1.0, abs=4 / np.sqrt(BANK))


def test_common_direction_is_what_the_equally_weighted_portfolio_loads_on():
    """Also where volatilities differ tenfold: its return is the loads times the innovations, in the long run."""
    rng = np.random.default_rng(8)
    shocks = rng.normal(size=(800, 3)) + 0.8 * rng.normal(size=(800, 1))
    whitening = fit_volatility(shocks * np.array([0.001, 0.01, 0.003]))
    found = common_direction(SimpleNamespace(whitening=whitening))
    innovations = torch.from_numpy(rng.normal(size=(50, 3)))
    state = whitening.start(50)
    portfolio = (colour(whitening.predict(state), innovations) - whitening.numbers.mean).mean(dim=1).numpy()
    ratio = portfolio / (innovations.numpy() @ found)
    assert ratio == pytest.approx(ratio[0], rel=1e-9)
    assert np.linalg.norm(found) == pytest.approx(1.0, rel=1e-12)


def test_a_single_series_has_no_common_direction():
    single = fit_volatility(0.01 * normals(9, 300)[:, :1])
    assert common_direction(SimpleNamespace(whitening=single)).tolist() == [0.0]
