"""Roll-outs of 20 and 60 periods: path volatility, horizon quantiles, scores, laws of drawdown and volatility."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import tsgen
from tsgen.evaluation import PairedWindows, dependence, paired_difference, path_functionals, temporal_law
from tsgen.evaluation.dated_scenarios import scenarios_at
from tsgen.evaluation.metric_result import MetricResult
from tsgen.evaluation.metric_score import group_scores

Array = NDArray[np.float64]
N_PATHS, N_JUDGED = 128, 32
QUANTILES = np.array([0.01, 0.05, 0.95, 0.99])


class RollOuts(NamedTuple):
    """Realised and generated windows of one model."""

    realised: Array
    """(start, time, asset)."""
    generated: Array
    """(start, path, time, asset)."""
    deviation: Array
    """(start, asset): training standard deviation."""
    dates: pd.DatetimeIndex


def roll_outs_of(
    model: Any, panel: tsgen.ReturnPanel, first: int, deviation: Array, *, horizon: int, step: int, seed: int
) -> RollOuts:
    """Windows that start every ``step`` rows from row ``first`` on."""
    rows = np.arange(first, panel.n_dates - horizon + 1, step)
    dates = panel.dates[rows - 1]
    generated = np.stack(list(scenarios_at(model, panel, dates, N_PATHS, horizon, seed=seed)))
    realised = np.stack([panel.values[row : row + horizon] for row in rows])
    return RollOuts(realised, generated, np.tile(deviation, (len(rows), 1)), dates)


def joined(parts: list[RollOuts]) -> RollOuts:
    """Windows of several origins."""
    first = parts[0].dates
    for part in parts[1:]:
        first = first.append(part.dates)
    return RollOuts(
        np.concatenate([p.realised for p in parts]),
        np.concatenate([p.generated for p in parts]),
        np.concatenate([p.deviation for p in parts]),
        pd.DatetimeIndex(first),
    )


def _block_error(values: Array, block: int) -> float:
    count = len(values) // block
    means = values[: count * block].reshape(count, block, -1).mean(axis=(1, 2))
    return float(means.std(ddof=1) / np.sqrt(count))


def _crps(sums: Array, realised: Array) -> Array:
    """(start, path, asset) against (start, asset), unbiased."""
    n = sums.shape[1]
    ranks = (2 * np.arange(1, n + 1) - n - 1)[None, :, None]
    spread = (ranks * np.sort(sums, axis=1)).sum(axis=1) / (n * (n - 1))
    return np.abs(sums - realised[:, None]).mean(axis=1) - spread


def scores_of(outs: RollOuts) -> Array:
    """CRPS of cumulated returns per start and asset, in training deviations."""
    return _crps(outs.generated.sum(axis=2) / outs.deviation[:, None], outs.realised.sum(axis=1) / outs.deviation)


def calibration(outs: RollOuts, *, block: int, seed: int) -> dict[str, Any]:
    """Path volatility, horizon quantiles with their block-bootstrap bands, moments at the horizon."""
    volatility = np.sqrt((outs.realised**2).mean(axis=1))
    rank = (np.sqrt((outs.generated**2).mean(axis=2)) < volatility[:, None]).mean(axis=1)
    scale = outs.deviation * np.sqrt(outs.realised.shape[1])
    realised, generated = outs.realised.sum(axis=1) / scale, outs.generated.sum(axis=2) / scale[:, None]
    rng, n = np.random.default_rng(seed), len(realised)
    resampled, moments, ratios = [], [], []
    for _ in range(400):
        starts = rng.integers(0, n, -(-n // block))
        rows = (starts[:, None] + np.arange(block)).ravel()[:n] % n
        resampled.append(np.quantile(realised[rows], QUANTILES))
        moments.append(_moments(realised[rows]))
        ratios.append(_variance_ratio(outs.realised[rows]))
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    model = np.quantile(generated, QUANTILES)
    own, errors = _moments(realised), np.std(moments, axis=0, ddof=1)
    ratio_band = np.quantile(ratios, [0.025, 0.975])
    made_paths = outs.generated.reshape(-1, *outs.generated.shape[2:])
    made = _moments(generated.reshape(-1, generated.shape[2]))
    return {
        "n_starts": n,
        "path_volatility_rank": [float(rank.mean()), _block_error(rank, block), float(rank.std())],
        "quantiles": {
            f"{100 * q:g}%": [float(g), float(r), float(a), float(b), bool(a <= g <= b)]
            for q, g, r, a, b in zip(QUANTILES, model, np.quantile(realised, QUANTILES), low, high, strict=True)
        },
        "moments": {
            name: [float(g), float(r), float(e)]
            for name, g, r, e in zip(("volatility", "correlation", "mean"), made, own, errors, strict=True)
        },
        "variance_ratio": [_variance_ratio(made_paths), _variance_ratio(outs.realised), *map(float, ratio_band)],
    }


def _variance_ratio(windows: Array) -> float:
    """Variance of sums over that of as many independent periods, mean over assets; (row, time, asset)."""
    sums, periods = windows.sum(axis=1).var(axis=0), windows.shape[1] * windows.var(axis=(0, 1))
    return float((sums / periods).mean())


def _moments(sums: Array) -> Array:
    """Mean standard deviation, mean correlation of pairs, mean of sums (row, asset)."""
    n = sums.shape[1]
    pairs = 0.0 if n == 1 else (np.corrcoef(sums.T).sum() - n) / (n * (n - 1))
    return np.array([sums.std(axis=0).mean(), pairs, sums.mean()])


def laws(outs: RollOuts, assets: tuple[str, ...], kind: Any, *, step: int, seed: int) -> dict[str, Any]:
    """Drawdown and volatility laws, memory and dependence, judged against their floors.

    Starts are ``step`` periods apart. Overlapping windows are no independent units, their floors would be too low: so
    each of the interleaved sets of starts whose windows do not overlap is judged by itself; values, floors and errors
    are means over these sets, and a law is above its floor where it is in at least half of them.
    """
    n_sets = -(-outs.realised.shape[1] // step)
    results: list[MetricResult] = []
    for first in range(n_sets):
        rows = slice(first, None, n_sets)
        pairs = PairedWindows(
            realised=outs.realised[rows],
            generated=outs.generated[rows, :N_JUDGED],
            assets=assets,
            kind=kind,
            dates=outs.dates[rows],
        )
        results += [*path_functionals(pairs, seed=seed), *temporal_law(pairs, seed=seed)]
        if len(assets) > 1:
            results += dependence(pairs, seed=seed)
    by_metric: dict[str, list[MetricResult]] = {}
    for result in results:
        by_metric.setdefault(result.metric, []).append(result)
    chosen = {k: v for k, v in by_metric.items() if "drawdown" in k or "volatility" in k}
    return {
        "groups": {str(k): float(v) for k, v in group_scores(results).items()},
        "laws": {name: _over_sets(found) for name, found in chosen.items()},
    }


def _over_sets(results: list[MetricResult]) -> list[Any]:
    """Value, floor, standard error, verdict, and in how many of the sets it is above the floor."""
    above = sum(r.verdict == "above floor" for r in results)
    means = np.mean([(r.value, r.floor, r.standard_error) for r in results], axis=0)
    verdict = "above floor" if 2 * above >= len(results) else "at floor"
    return [*map(float, means), verdict, f"{above} of {len(results)}"]


def summary(
    outs: dict[str, RollOuts], assets: tuple[str, ...], kind: Any, *, step: int, block: int, seed: int
) -> dict[str, Any]:
    """Calibration of every model and the generator's scores against each baseline."""
    own = scores_of(outs["generator"]).mean(axis=1)
    result: dict[str, Any] = {}
    for name, part in outs.items():
        result[name] = calibration(part, block=block, seed=seed) | laws(part, assets, kind, step=step, seed=seed)
        if name != "generator":
            other = scores_of(part).mean(axis=1)
            found = paired_difference(own, other, block=block)
            result[name]["generator_crps_percent"] = 100 * found.difference / float(other.mean())
            result[name]["generator_crps_t"] = found.t
    return result
