"""Walk-forward scorecard on 20 US stocks: train to 2013, evaluate 2014 to 2022, five seeds, all baselines.

    OMP_NUM_THREADS=1 python examples/experiments/scorecard_us_stocks/run.py [--seeds 0 1 2 3 4] [--parts FOLDER]

About ten minutes per seed on one core. Each seed's card is written when it is done, so an interrupted study
goes on where it stopped, and seeds may run in several processes. Once all five are there, writes results.json
beside this file and the table between the markers in README.md. Every model is re-conditioned daily and never
re-trained; no choice was made on the evaluation period.
"""

import argparse
import json
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

import tsgen
from tsgen import baselines
from tsgen.complete_files import write_json, write_text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SEEDS = (0, 1, 2, 3, 4)
CUTOFF = "2013-12-31"
BEGIN, END = "<!-- scorecard: begin -->", "<!-- scorecard: end -->"


def fitted_baselines(train: tsgen.ReturnPanel) -> dict[str, object]:
    """Every baseline, fitted to the training span."""
    fhs = baselines.FilteredHistoricalSimulation
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fits that needed a guard say so in their notes, which are stored
        return {
            "FHS, EWMA filter": fhs.fit(train, filter="ewma"),
            "FHS, GARCH filter": fhs.fit(train, filter="garch"),
            "FHS, GJR filter": fhs.fit(train, filter="gjr"),
            "GARCH-t, constant correlation": baselines.GarchCcc.fit(train),
            "GARCH-t, dynamic correlation": baselines.GarchCcc.fit(train, correlation="dynamic"),
            "stationary bootstrap": baselines.StationaryBootstrap.fit(train),
            "block bootstrap": baselines.BlockBootstrap.fit(train),
            "VAR(1), bootstrapped residuals": baselines.VectorAutoregression.fit(train, order=1, residuals="bootstrap"),
            "ARMA per asset": baselines.Arma.fit(train),
            "Gaussian process": baselines.GaussianProcess.fit(train),
            "Student-t copula, i.i.d.": baselines.StudentTCopula.fit(train),
            "Gaussian, i.i.d.": baselines.IidGaussian.fit(train),
            "replay of the training set": baselines.Regurgitation.fit(train),
        }


def card_of(seed: int) -> tsgen.Scorecard:
    panel = tsgen.load_returns("us_stocks")
    train, _ = panel.split(CUTOFF)
    generator = tsgen.fit_generator(train, seed=seed)
    return tsgen.evaluate(generator, panel, baselines=fitted_baselines(train), seed=seed)


def table_of(cards: dict[int, tsgen.Scorecard]) -> pd.DataFrame:
    """Mean and standard deviation over seeds of every model's scores."""
    scores = pd.concat({seed: card.model_scores for seed, card in cards.items()}, names=["seed"])
    mean, spread = scores.groupby(level="model").mean(), scores.groupby(level="model").std(ddof=1)
    return pd.concat({"mean": mean, "sd": spread}, axis=1)


def paired_of(cards: dict[int, tsgen.Scorecard]) -> pd.DataFrame:
    """Differences of proper scores to every baseline, averaged over seeds; block error of one seed."""
    paired = pd.concat({seed: card.paired_differences for seed, card in cards.items()}, names=["seed"])
    grouped = paired.groupby(["score", "baseline"])
    return pd.DataFrame(
        {
            "difference": grouped["difference"].mean(),
            "standard_error": grouped["standard_error"].mean(),
            "sd_over_seeds": grouped["difference"].std(ddof=1),
        }
    )


def markdown(table: pd.DataFrame, model: str) -> str:
    order = table["mean"]["overall"].sort_values(ascending=False).index
    groups = [g for g in table["mean"].columns if g != "overall"]
    lines = ["| model | overall | " + " | ".join(groups) + " |", "|---" * (len(groups) + 2) + "|"]
    for name in order:
        cells = [f"{table['mean'].loc[name, c]:.2f} ± {table['sd'].loc[name, c]:.2f}" for c in ("overall", *groups)]
        lines.append(f"| {f'**{name}**' if name == model else name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _finite(value: float) -> float | None:
    """Four digits, or null: a score without a spread over seeds has no standard deviation."""
    return float(f"{value:.4g}") if np.isfinite(value) else None


def summarise(parts: Path) -> None:
    cards = {seed: tsgen.Scorecard.from_json((parts / f"seed_{seed}.json").read_text()) for seed in SEEDS}
    model = cards[0].model
    table, paired = table_of(cards), paired_of(cards)
    metrics = pd.concat({s: c.to_frame() for s, c in cards.items()}, names=["seed"]).reset_index(level="seed")
    values = metrics.groupby(["model", "group", "metric"])[["value", "floor", "standard_error", "score"]].mean()
    result = {
        "setting": {"data": "us_stocks", "train_until": CUTOFF, "seeds": SEEDS, **cards[0].facts},
        "versions": {name: version(name) for name in ("tsgen-toolkit", "torch", "numpy", "skfolio")},
        "scores": {
            kind: {m: {k: _finite(v) for k, v in row.items()} for m, row in table[kind].T.to_dict().items()}
            for kind in ("mean", "sd")
        },
        "paired_differences": [
            {"score": s, "baseline": b, **{k: _finite(v) for k, v in row.items()}}
            for (s, b), row in paired.T.to_dict().items()
        ],
        "metrics": {
            m: {
                f"{g}: {k}": [_finite(x) for x in row]
                for (g, k), row in zip(part.index.droplevel(0), part.values.tolist(), strict=True)
            }
            for m, part in values.groupby(level="model")
        },
        "metric_columns": ["value", "floor", "standard_error", "score"],
    }
    write_json(HERE / "results.json", json.loads(json.dumps(result)))
    readme = (ROOT / "README.md").read_text()
    if BEGIN in readme:
        head, _, rest = readme.partition(BEGIN)
        tail = rest.partition(END)[2]
        write_text(ROOT / "README.md", f"{head}{BEGIN}\n{markdown(table, model)}\n{END}{tail}")
    print(markdown(table, model))
    print(paired.to_string(float_format="%.4f"))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    arguments.add_argument("--parts", type=Path, default=ROOT / "runs" / "scorecard_us_stocks")
    chosen = arguments.parse_args()
    for seed in chosen.seeds:
        part = chosen.parts / f"seed_{seed}.json"
        if not part.is_file():
            write_text(part, card_of(seed).to_json())
    if all((chosen.parts / f"seed_{seed}.json").is_file() for seed in SEEDS):
        summarise(chosen.parts)


if __name__ == "__main__":
    main()
