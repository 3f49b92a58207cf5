"""Turn the finished parts into results.json and the tables of the README.

    python examples/experiments/adapted_diffusion_paper/summary.py

Means over the seeds that have been run, with standard errors where there are two or more. Cells without a part are
listed under ``missing``; where a preset has none at all, as after ``run.py --only default`` on a new machine, its
columns stay what they were in results.json. Published numbers are those of the authors' public notebooks (working
results, one run each).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from cells import Cell, all_cells

from tsgen.complete_files import write_json, write_text

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"

PUBLISHED = {
    "arma, T = 500": {
        "acf_error of generated, three runs": [0.103, 0.201, 0.0556],
        "acf_error of training data": [0.150, 0.166, 0.145],
        "covariance_error": 0.5079,
        "note": "the covariance error is printed alike in four versions of the notebook: probably a stale cell",
    },
    "gp, T = 32": {
        "covariance_error": 0.175,
        "covariance_vs_training, two runs": [0.145, 0.083],
        "covariance_error of training data": 0.0496,
    },
    "wealth": {
        "model-based, training data": {"mean": [1.349, 1.353], "variance": [0.405, 0.426], "sharpe": [0.548, 0.541]},
        "model-based, generated": {"mean": [1.302, 1.338], "variance": [0.296, 0.388], "sharpe": [0.556, 0.543]},
        "q-learning, training paths": {"mean": [1.185, 1.184], "variance": [0.0399, 0.0443], "sharpe": [0.928, 0.876]},
        "q-learning, bootstrap": {"mean": [1.187, 1.186], "variance": [0.0371, 0.0415], "sharpe": [0.973, 0.915]},
        "q-learning, generated": {"mean": [1.164, 1.147], "variance": [0.0238, 0.0211], "sharpe": [1.063, 1.015]},
    },
}


def parts() -> list[tuple[Cell, dict[str, Any]]]:
    found = []
    for cell in all_cells():
        path = HERE / "runs" / f"{cell.name}.json"
        if path.exists():
            found.append((cell, json.loads(path.read_text())))
    return found


def kept(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """``now``, with the targets and presets that it lacks taken from ``before``."""
    both = {**before, **now}
    return {key: {**before.get(key, {}), **entry} if isinstance(entry, dict) else entry for key, entry in both.items()}


def mean_and_error(values: list[float]) -> dict[str, float | int | None]:
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "standard_error": error, "seeds": len(values)}


def collected(records: list[dict[str, Any]], *path: str) -> dict[str, Any]:
    """Mean and error of every number below ``path``."""
    inner = list(records)
    for key in path:
        inner = [record[key] for record in inner]
    names = [k for k, v in inner[0].items() if isinstance(v, (int, float))]
    return {name: mean_and_error([float(record[name]) for record in inner]) for name in names}


def main_study(found: list[tuple[Cell, dict[str, Any]]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for cell, _ in found:
        if cell.study != "main":
            continue
        row = table.setdefault(f"{cell.target}, T = {cell.horizon}", {})
        if cell.preset in row:
            continue
        same = [r for c, r in found if c._replace(seed=0) == cell._replace(seed=0)]
        row[cell.preset] = {
            **collected(same, "generated"),
            "score": collected(same, "score"),
            "fit_seconds": mean_and_error([r["fit_seconds"] for r in same]),
            "sample_seconds": mean_and_error([r["sample_seconds"] for r in same]),
            "accepted": [[c["candidate"] for c in r["comparisons"] if c["accepted"]][-1] for r in same],
        }
        # floor and training data do not depend on the preset: take them from whichever has more seeds
        if len(same) >= row.get("training", {}).get("covariance_error", {"seeds": 0})["seeds"]:
            row["exact_sampler"], row["training"] = collected(same, "exact_sampler"), collected(same, "training")
    return table


def wealth_study(found: list[tuple[Cell, dict[str, Any]]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for preset in ("default", "paper"):
        same = [r for c, r in found if c.study == "wealth" and c.preset == preset]
        if same:
            policies = [k for k in same[0] if k.startswith(("policy", "moments"))]
            table[preset] = {name: collected(same, name) for name in policies}
            table[preset]["annual_volatility"] = collected(same, "annual_volatility")
            table[preset]["annual_drift"] = collected(same, "annual_drift")
            table[preset]["spread"] = collected(same, "spread")
    return table


def slope_over_seeds(points: list[tuple[int, float, float]]) -> dict[str, float | int | None]:
    """Slope of log error on log size from (seed, size, error): mean over seeds, with its standard error.

    Training sets are nested within a seed, so seeds and not points are independent; with one seed the error is that of
    the regression.
    """
    per_seed = {
        seed: slope([x for s, x, _ in points if s == seed], [y for s, _, y in points if s == seed])
        for seed in sorted({s for s, _, _ in points})
    }
    fullest = max(int(found["points"] or 0) for found in per_seed.values())
    kept = [found for found in per_seed.values() if found["points"] == fullest]
    if len(kept) == 1:
        return {**kept[0], "seeds": 1}
    values = [float(found["slope"] or 0.0) for found in kept]
    entry = mean_and_error(values)
    return {
        "slope": entry["mean"],
        "standard_error": entry["standard_error"],
        "points": fullest,
        "seeds": len(kept),
    }


def slope(sizes: list[float], errors: list[float]) -> dict[str, float | int | None]:
    """Least-squares slope of log error on log size, with its standard error if there are three or more points."""
    x, y = np.log(sizes), np.log(errors)
    design = np.stack([np.ones_like(x), x], axis=1)
    beta, *_ = np.linalg.lstsq(design, y, rcond=None)
    left = y - design @ beta
    error = None
    if len(x) > 2:
        error = float(np.sqrt(left @ left / (len(x) - 2) * np.linalg.inv(design.T @ design)[1, 1]))
    return {"slope": float(beta[1]), "standard_error": error, "points": len(x)}


def scaling(found: list[tuple[Cell, dict[str, Any]]], study: str) -> dict[str, Any]:
    """Errors along one setting on the Gaussian process, with the slope; the main study supplies the middle point."""
    field = {"paths": "n_training", "lookback": "lookback", "width": "width"}[study]
    usual = {"paths": 2048, "lookback": 16, "width": 128}[study]
    table: dict[str, Any] = {}
    for preset in ("default", "paper"):
        members = [(getattr(c, field), r) for c, r in found if c.study == study and c.preset == preset]
        if not members:
            continue
        members += [(usual, r) for c, r in found if c.study == "main" and c.target == "gp" and c.preset == preset]
        lines = {}
        for size in sorted({size for size, _ in members}):
            same = [r for s, r in members if s == size]
            lines[str(size)] = {
                "adapted_distance": mean_and_error([r["generated"]["adapted_distance"] for r in same]),
                "exact_sampler": mean_and_error([r["exact_sampler"]["adapted_distance"] for r in same]),
                "score_error": mean_and_error([r["score"]["score_error_tau_0.3"] for r in same]),
            }
        score = [(r["cell"]["seed"], float(s), r["score"]["score_error_tau_0.3"]) for s, r in members]
        excess = [(r["cell"]["seed"], float(s), beyond_floor(r["generated"], r["exact_sampler"])) for s, r in members]
        table[preset] = {
            "by size": lines,
            "slope of the score error": slope_over_seeds(score),
            "slope of the distance beyond the sampling floor": slope_over_seeds(excess),
        }
    return table


def beyond_floor(generated: dict[str, float], exact: dict[str, float]) -> float:
    """Adapted distance without the part that as many exact paths have."""
    return max(generated["adapted_distance"] ** 2 - exact["adapted_distance"] ** 2, 1e-8) ** 0.5


def number(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "-"
    error = "" if entry["standard_error"] is None else f" ± {entry['standard_error']:.3f}"
    return f"{entry['mean']:.3f}{error}"


PUBLISHED_CELLS = {
    ("arma, T = 500", "acf_error"): "0.103, 0.201, 0.056",
    ("arma, T = 500", "covariance_error"): "0.508 (stale cell?)",
    ("gp, T = 32", "covariance_error"): "0.175",
    ("gp, T = 32", "covariance_vs_training"): "0.145, 0.083",
}


def tables(results: dict[str, Any]) -> str:
    """All tables of the README."""
    return "\n".join([*main_table(results), "", *wealth_table(results), "", *scaling_tables(results)]) + "\n"


def main_table(results: dict[str, Any]) -> list[str]:
    lines = [
        "| target | metric | default | paper | training data | exact sampler | published runs | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for target, row in sorted(results["main"].items(), key=lambda item: (item[0][0], len(item[0]), item[0])):
        seeds = ", ".join(str(row[who]["covariance_error"]["seeds"]) for who in ("default", "paper") if who in row)
        for metric in ("acf_error", "covariance_error", "covariance_vs_training", "adapted_distance"):
            if not any(metric in cells for cells in row.values()):
                continue
            columns = [
                number(row.get(who, {}).get(metric)) for who in ("default", "paper", "training", "exact_sampler")
            ]
            columns += [PUBLISHED_CELLS.get((target, metric), "-"), seeds]
            lines.append(f"| {target} | {metric} | " + " | ".join(columns) + " |")
    return lines


def wealth_table(results: dict[str, Any]) -> list[str]:
    lines = ["| policy learned from | mean | variance | Sharpe | gain |", "|---|---|---|---|---|"]
    for preset, policies in results["wealth"].items():
        for name, entry in policies.items():
            if name.startswith(("policy", "moments")) and ("generated" in name or preset == "default"):
                label = f"{name}, preset {preset}" if "generated" in name else name
                columns = [number(entry[field]) for field in ("mean", "variance", "sharpe", "gain")]
                lines.append(f"| {label} | " + " | ".join(columns) + " |")
    for name, entry in PUBLISHED["wealth"].items():
        columns = [" / ".join(str(value) for value in entry[field]) for field in ("mean", "variance", "sharpe")]
        lines.append(f"| published, {name} | " + " | ".join(columns) + " | - |")
    return lines


def scaling_tables(results: dict[str, Any]) -> list[str]:
    lines = ["| on the Gaussian process | preset | slope of score error | slope of distance beyond the floor |"]
    lines += ["|---|---|---|---|"]
    for study in ("paths", "lookback", "width"):
        for preset, entry in results[study].items():
            slopes = [entry["slope of the score error"], entry["slope of the distance beyond the sampling floor"]]
            shown = [slope_text(found) for found in slopes]
            lines.append(f"| {study} | {preset} | " + " | ".join(shown) + " |")
    lines += [
        "",
        "| study | preset | size | score error | adapted distance | exact sampler |",
        "|---|---|---|---|---|---|",
    ]
    for study in ("paths", "lookback", "width"):
        for preset, entry in results[study].items():
            for size, row in sorted(entry["by size"].items(), key=lambda item: int(item[0])):
                columns = [number(row[field]) for field in ("score_error", "adapted_distance", "exact_sampler")]
                lines.append(f"| {study} | {preset} | {size} | " + " | ".join(columns) + " |")
    return lines


def slope_text(found: dict[str, Any]) -> str:
    error = "" if found["standard_error"] is None else f" ± {found['standard_error']:.2f}"
    return f"{found['slope']:.2f}{error} ({found['points']} sizes, {found['seeds']} seeds)"


def main() -> None:
    found = parts()
    done = {cell for cell, _ in found}
    before = json.loads((HERE / "results.json").read_text())
    studies = {
        "main": main_study(found),
        "wealth": wealth_study(found),
        **{study: scaling(found, study) for study in ("paths", "lookback", "width")},
    }
    results: dict[str, Any] = {
        "published": PUBLISHED,
        **{name: kept(before[name], now) for name, now in studies.items()},
        "cells_run": len(done),
        "missing": [cell.name for cell in all_cells() if cell not in done],
    }
    write_json(HERE / "results.json", results)
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    write_text(readme, head + BEGIN + "\n" + tables(results) + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
