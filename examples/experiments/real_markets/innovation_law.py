"""Laws of the innovations out of sample: fitted up to a year, judged on the residuals of the next ones."""

from typing import Any

import numpy as np
import panels
import torch
from numpy.typing import NDArray

from tsgen.evaluation import paired_difference
from tsgen.generator.generator_config import GeneratorConfig
from tsgen.generator.residual_map_fit import common_direction, fit_residual_map, innovation_bank
from tsgen.generator.whitened_data import FILTER_BURN_IN, fit_whitening, whitened_rows
from tsgen.networks.head_shape import ResidualLaw
from tsgen.sampling.adapted_sampler import ConditionalSampler
from tsgen.training.head_selection import build_head, closed_form_shape
from tsgen.training.student_t_anchor import N_NODES

Array = NDArray[np.float64]

_LEVELS = np.array([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995])
_LAWS: dict[str, tuple[int, ResidualLaw]] = {
    "normal": (0, "mixture"),
    "mixture": (4, "mixture"),
    "Student-t": (N_NODES, "student_t"),
}


def _quantile_losses(law: Array, residuals: Array) -> Array:
    """Mean pinball loss of the law's quantiles per date, averaged over levels and coordinates."""
    gap = residuals[:, None, :] - np.quantile(law, _LEVELS, axis=0)
    return np.maximum(_LEVELS[:, None] * gap, (_LEVELS[:, None] - 1.0) * gap).mean(axis=(1, 2))


def _losses(returns: torch.Tensor, n_known: int) -> dict[str, Array]:
    """Quantile losses of every law on the dates after the first ``n_known``, the common direction as one more asset."""
    config = GeneratorConfig.preset("fast")
    whitening = fit_whitening(returns[:, :n_known], is_panel=True, config=config, family="")
    known, next_ones = torch.arange(FILTER_BURN_IN, n_known), torch.arange(n_known, returns.shape[1])
    rows = whitened_rows(whitening, returns, config, "cpu").centred(known)
    residuals, truth = (rows.clean(r).double().numpy() for r in (known, next_ones))
    found: dict[str, Array] = {}
    for label, (n_components, law) in _LAWS.items():
        shape = closed_form_shape(rows, config.head, n_components=n_components, residual=law)
        head = build_head(shape, rows, known, seed=0)
        sampler = ConditionalSampler(head=head, whitening=whitening, config=config.sampler)
        direction = common_direction(sampler)
        several = np.column_stack([np.eye(len(direction)), direction]) if direction.any() else np.eye(1)
        bank = innovation_bank(sampler, rows, known, seed=0)
        mapped = fit_residual_map(bank, residuals, direction)(torch.from_numpy(bank)).numpy()
        found[label] = _quantile_losses(bank @ several, truth @ several)
        found[f"{label} + map"] = _quantile_losses(mapped @ several, truth @ several)
        found["own residuals"] = _quantile_losses(residuals @ several, truth @ several)
    return found


def against_mixture(name: str, years: range, *, block: int) -> dict[str, Any]:
    """Difference to the mixture without a map in percent of its loss, and its t; cut-offs ``years`` apart, pooled."""
    panel = panels.panel_of(name, years[-1] + years.step)
    by_cut: list[dict[str, Array]] = []
    n_residuals: list[int] = []
    for year in years:
        n_known, until = ((panel.dates.year <= y).sum() for y in (year, year + years.step))
        n_residuals.append(int(n_known) - FILTER_BURN_IN)
        by_cut.append(_losses(torch.from_numpy(panel.values[:until].copy())[None], int(n_known)))
    base = np.concatenate([losses["mixture"] for losses in by_cut])
    row: dict[str, Any] = {"cut_offs": list(years), "n_residuals": n_residuals, "n_dates": len(base)}
    for label in by_cut[0]:
        if label == "mixture":
            continue
        own = np.concatenate([losses[label] for losses in by_cut])
        row[label] = {
            "percent": 100 * (own.mean() / base.mean() - 1),
            "t": paired_difference(own, base, block=block).t,
            "percent_by_cut_off": [100 * (one[label].mean() / one["mixture"].mean() - 1) for one in by_cut],
        }
    return row
