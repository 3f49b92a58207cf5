"""Stationary starts, and what damaged or short data do to the other series."""

from typing import Any

import numpy as np

import tsgen
from tsgen.evaluation import PairedWindows, dependence, marginal_law, path_functionals, temporal_law
from tsgen.evaluation.metric_score import group_scores
from tsgen.generator.generator_config import GeneratorConfig

N_JUDGED = 32


def stationary(train: tsgen.ReturnPanel, *, horizon: int, seed: int) -> dict[str, Any]:
    """Unconditional paths against the windows of the training span, whose stationary law they are to have."""
    generator = tsgen.fit_generator(train, GeneratorConfig.preset("fast"), seed=seed)
    rows = np.arange(60, train.n_dates - horizon + 1, horizon)
    realised = np.stack([train.values[row : row + horizon] for row in rows])
    paths = generator.sample(len(rows) * N_JUDGED, horizon, history="stationary", seed=seed).returns
    pairs = PairedWindows(
        realised=realised,
        generated=paths.reshape(len(rows), N_JUDGED, horizon, -1),
        assets=train.assets,
        kind=train.kind,
    )
    results = [*marginal_law(pairs, seed=seed), *temporal_law(pairs, seed=seed), *path_functionals(pairs, seed=seed)]
    if len(train.assets) > 1:
        results += list(dependence(pairs, seed=seed))
    ratio = paths.reshape(-1, paths.shape[2]).std(axis=0) / train.values.std(axis=0)
    return {
        "n_windows": len(rows),
        "groups": {str(k): float(v) for k, v in group_scores(results).items()},
        "at_floor": [sum(r.verdict == "at floor" for r in results), sum(r.verdict != "report" for r in results)],
        "above_floor": {r.metric: [r.value, r.floor, r.standard_error] for r in results if r.verdict == "above floor"},
        "volatility_ratio": [float(ratio.mean()), float(ratio.min()), float(ratio.max())],
    }


def _scales(values: np.ndarray, assets: tuple[str, ...], train: tsgen.ReturnPanel, seed: int) -> np.ndarray:
    """Standard deviation of the forecast of the date after the panel, per asset."""
    frame = train.returns.copy()
    frame.loc[:, list(assets)] = values
    panel = tsgen.ReturnPanel(frame, kind=train.kind)
    generator = tsgen.fit_generator(panel, GeneratorConfig.preset("fast"), seed=seed)
    return np.quantile(np.abs(generator.sample(4096, 1, seed=seed).returns[:, 0]), 0.8, axis=0)


def damaged(train: tsgen.ReturnPanel, *, seed: int) -> dict[str, Any]:
    """Change of the other series' forecast widths when the first series is damaged, in percent (largest)."""
    rng, plain = np.random.default_rng(seed), _scales(train.values, train.assets, train, seed)
    stale, spike, short = (train.values.copy() for _ in range(3))
    stale[rng.random(len(stale)) < 0.5, 0] = 0.0
    spike[len(spike) // 2, 0], spike[len(spike) // 2 + 1, 0] = 2.0, -2.0
    short[: len(short) * 3 // 4, 0] = 0.0
    cases = {"half the returns zero": stale, "a price spike": spike, "three quarters without prices": short}
    found = {}
    for name, values in cases.items():
        change = _scales(values, train.assets, train, seed)[1:] / plain[1:] - 1.0
        found[name] = 100 * float(np.abs(change).max())
    return found


def against_anchor(train: tsgen.ReturnPanel, whole: tsgen.ReturnPanel, *, seed: int) -> dict[str, Any]:
    """Scorecard of the default generator beside its closed-form anchor on small data."""
    generator = tsgen.fit_generator(train, seed=seed)
    anchor = tsgen.fit_generator(train, GeneratorConfig.preset("fast"), seed=seed)
    card = tsgen.evaluate(generator, whole, baselines={"anchor": anchor}, seed=seed)
    return {
        "generator": repr(generator),
        "n_training": train.n_dates,
        "scores": {str(k): row.dropna().astype(float).to_dict() for k, row in card.model_scores.iterrows()},
        "comparisons": generator.record.comparisons,
    }
