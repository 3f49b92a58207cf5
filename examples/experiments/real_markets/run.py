"""Real markets: the generator one step ahead, in roll-outs and without a history, on daily, weekly and monthly panels.

    OMP_NUM_THREADS=1 python examples/experiments/real_markets/run.py --span validation
    OMP_NUM_THREADS=1 python examples/experiments/real_markets/run.py --span test

``validation``: rolling origins before the test years, where every choice was made; closed forms only (preset "fast"),
because on these panels every network is refused. Parts named ``memory`` refit the location each year on its past, those
named ``innovation law`` compare the laws that innovations may have, those named ``by factors`` treat a panel as if it
were a wide one.
``test``: the default generator fitted once, read once. Each row is written to results.json beside this file when it is
measured, and is not measured again without --again.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import innovation_law
import memory
import numpy as np
import one_step
import panels
import roll_outs
import torch
import unconditional

from tsgen.generator.generator_config import PresetName

HERE = Path(__file__).resolve().parent
SEED = 0
HORIZONS = {
    "fama_french": (12,),
    "bond_yields": (12,),
    "french_factors": (12,),
    "vix": (20,),
    **{n: (12,) for n in panels.TEST if n.endswith(panels.WEEKLY)},
}
DAILY_HORIZONS = (20, 60)
BY_FACTORS = "by factors"
LONGEST_STEP = 20  # periods from one start of a roll-out to the next
# first and last year of the yearly refits of the location, and the block of its error
MEMORY = {
    "us_stocks": (1997, 2013, 20),
    "us_index": (1997, 2013, 20),
    "fama_french": (1965, 1999, 3),
    "factor_etfs": (2016, 2018, 20),
    "mixed": (2003, 2013, 20),
}
# cut-offs of the innovation laws, each judged until the next one
LAWS = {
    "us_stocks": (range(1998, 2011, 3), 20),
    "us_index": (range(1995, 2011, 3), 20),
    "fama_french": (range(1974, 1995, 5), 3),
    "mixed": (range(2004, 2011, 3), 20),
    "us_stocks_weekly": (range(1996, 2013), 4),
    "us_index_weekly": (range(1996, 2013), 4),
    "mixed_weekly": (range(2004, 2013), 4),
}


def forecasts(
    name: str,
    spans: tuple[panels.Span, ...],
    *,
    preset: PresetName,
    seed: int,
    whitening: panels.WhiteningChoice = "conditional",
) -> dict[str, Any]:
    """One-step and roll-out rows of a panel, its origins pooled."""
    records: dict[str, list[one_step.Record]] = {}
    outs: dict[tuple[int, str], list[roll_outs.RollOuts]] = {}
    horizons = HORIZONS.get(name, DAILY_HORIZONS)
    for span in spans:
        panel = panels.panel_of(name, span.until)
        train = panel.split(f"{span.fitted_to}-12-31")[0]
        deviation, first = train.values.std(axis=0), train.n_dates
        for label, model in panels.fitted_models(train, preset=preset, whitening=whitening, seed=seed).items():
            records.setdefault(label, []).append(one_step.record_of(model, panel, first, deviation, seed=seed))
            for horizon in horizons:
                step = min(horizon, LONGEST_STEP)
                part = roll_outs.roll_outs_of(model, panel, first, deviation, horizon=horizon, step=step, seed=seed)
                outs.setdefault((horizon, label), []).append(part)
    last = panels.panel_of(name, spans[-1].until)
    assets, kind = last.assets, last.kind
    result: dict[str, Any] = {"one step": one_step.summary({k: one_step.joined(v) for k, v in records.items()}, assets)}
    for horizon in horizons:
        of_horizon = {k: roll_outs.joined(v) for (h, k), v in outs.items() if h == horizon}
        step, block = min(horizon, LONGEST_STEP), 3 if horizon <= LONGEST_STEP else 6
        result[f"{horizon} periods"] = roll_outs.summary(of_horizon, assets, kind, step=step, block=block, seed=seed)
    return result


def measure(part: str, span: str) -> Any:
    spans = panels.VALIDATION if span == "validation" else panels.TEST
    name, _, what = part.partition("/")
    if what == "memory":
        first, until, block = MEMORY[name]
        return memory.gain(name, first, until, block=block)
    if what == "innovation law":
        years, block = LAWS[name]
        return innovation_law.against_mixture(name, years, block=block)
    last = spans[name][-1]
    if what == "forecasts":
        preset: PresetName = "fast" if span == "validation" else "default"
        return forecasts(name, spans[name], preset=preset, seed=SEED)
    if what == BY_FACTORS:
        return forecasts(name, spans[name], preset="fast", seed=SEED, whitening="factor")
    whole = panels.panel_of(name, last.until)
    train = whole.split(f"{last.fitted_to}-12-31")[0]
    if what == "stationary":
        return unconditional.stationary(train, horizon=20, seed=SEED)
    if what == "damaged":
        return unconditional.damaged(train.split(str(train.dates[-2501].date()))[1], seed=SEED)
    small = train.split(str(train.dates[-2501].date()))[1]
    return unconditional.against_anchor(small, whole.split(str(train.dates[-2501].date()))[1], seed=SEED)


def parts_of(span: str) -> list[str]:
    names = panels.VALIDATION if span == "validation" else panels.TEST
    daily = [n for n in names if n not in HORIZONS]
    return [
        *(f"{n}/forecasts" for n in names),
        *(f"{n}/memory" for n in MEMORY if span == "validation"),
        *(f"{n}/innovation law" for n in LAWS if span == "validation"),
        *(f"{n}/{BY_FACTORS}" for n in ("us_stocks", "fama_french") if span == "validation"),
        *(f"{n}/stationary" for n in daily if n not in panels.BUILT),
        "mixed/damaged",
        "mixed/anchor",
    ]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.4g}") if np.isfinite(value) else None
    return value


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--span", choices=("validation", "test"), required=True)
    arguments.add_argument("--parts", nargs="*")
    arguments.add_argument("--again", action="store_true")
    arguments.add_argument("--results", type=Path, default=HERE / "results.json")
    chosen = arguments.parse_args()
    known = parts_of(chosen.span)
    if unknown := sorted(set(chosen.parts or ()) - set(known)):
        arguments.error(f"unknown parts {unknown}; there are {', '.join(known)}")
    torch.set_num_threads(1)
    for part in chosen.parts or known:
        found: dict[str, Any] = json.loads(chosen.results.read_text()) if chosen.results.is_file() else {}
        rows = found.setdefault(chosen.span, {})
        if part in rows and not chosen.again:
            continue
        begin = time.process_time()
        row = measure(part, chosen.span)
        rows[part] = _rounded(row | {"cpu_seconds": time.process_time() - begin})
        chosen.results.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        print(part, json.dumps(rows[part])[:2000], flush=True)


if __name__ == "__main__":
    main()
