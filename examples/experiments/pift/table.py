"""The acceptance table of steering from results.json, as Markdown.

python examples/experiments/pift/table.py
"""

import json
from pathlib import Path

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)


def first(row, name):
    return row[name][0]


def log_z(row):
    """Distance of the certificate's log Z from the large sample's, and what is allowed beside a fixed part."""
    distance = abs(row["log_partition"] - row["log_partition_of_large_sample"])
    return distance, 4 * (row["log_partition_error"] ** 2 + row["log_partition_of_large_sample_error"] ** 2) ** 0.5


# name, measure, threshold (a number or a function of the row), whether more is better
BIAS = ("unweighted bias, sd", lambda r: max(abs(b) for b in r["unweighted_bias"]))
WEIGHTED = ("weighted bias, sd", lambda r: max(abs(b) for b in r["weighted_bias"]))
PROBABILITY = ("distance from 50 %", lambda r: abs(first(r, "unweighted") - 0.5))
SHARE = ("effective share", lambda r: r["effective_share"])
GAP = ("gap, nats", lambda r: r["gap"])
KS = ("weighted KS, worst of 7 marginals", lambda r: r["ks_weighted"])
SECONDS = ("CPU seconds", lambda r: r["cpu_seconds"])
LOG_Z = ("log Z from the large sample's", lambda r: log_z(r)[0])
MULTIPLIER = (
    "multiplier from the dual's, relative",
    lambda r: abs(first(r, "multipliers") / first(r, "multipliers_of_dual") - 1),
)
GAIN = (
    "effective share gained by 4 candidates",
    lambda r: r["effective_share_with_4_candidates"] - r["effective_share"],
)
TIMES = (
    "effective share over re-weighting's",
    lambda r: r["effective_share"] / r["effective_share_of_reweighting"],
)
ROWS = [
    ("A7", "garch | S -2 | K=32", LOG_Z, "<=", lambda r: 0.02 + log_z(r)[1]),
    ("A7", "garch | S -2 | K=32", SHARE, ">=", 0.6),
    ("A7", "garch | S -2 | K=32", BIAS, "<=", 0.10),
    ("A8", "garch | S -2.5 | K=32", BIAS, "<=", 0.10),
    ("A8", "garch | S -2.5 | K=32", SHARE, ">=", 0.5),
    ("A8", "garch | S -2.5 | K=32", GAP, "<=", 0.30),
    ("A8", "garch | S -2.5 | K=32", MULTIPLIER, "<=", 0.05),
    ("A9", "garch | S -3 | K=32", SHARE, ">=", 0.30),
    ("A9", "garch | S -3 | K=32", WEIGHTED, "<=", 0.15),
    ("A9", "garch | S -3 | K=32", TIMES, ">=", 50),
    ("A10", "garch | event | K=32", PROBABILITY, "<=", 0.08),
    ("A10", "garch | event | K=32", LOG_Z, "<=", 0.03),
    ("A10", "garch | event | K=32", SHARE, ">=", 0.45),
    ("A11", "garch | barrier | K=32", PROBABILITY, "<=", 0.08),
    ("A11", "garch | barrier | K=32", LOG_Z, "<=", 0.03),
    ("A11", "garch | barrier | K=32", SHARE, ">=", 0.45),
    ("A12", "garch | DD +2.5 | K=32", BIAS, "<=", 0.20),
    ("A12", "garch | DD +2.5 | K=32", SHARE, ">=", 0.45),
    ("A13", "garch | S -2 | K=32", GAIN, ">=", 0.08),
    ("A13", "garch | DD +2.5 | K=32", GAIN, ">=", 0.08),
    ("A14", "garch | S -2 | K=32", KS, "<=", 0.05),
    ("A14", "garch | S -2.5 | K=32", KS, "<=", 0.05),
    ("stocks", "stocks | S -2.5 | default", BIAS, "<=", 0.15),
    ("stocks", "stocks | S -2.5 | default", WEIGHTED, "<=", 0.10),
    ("stocks", "stocks | S -2.5 | default", SHARE, ">=", 0.4),
    ("stocks", "stocks | S -2.5 | default", GAP, "<=", 0.4),
    ("stocks", "stocks | S -2.5 | default", SECONDS, "<=", 120),
    ("stocks", "stocks | S -2.5 | default", KS, "<=", 0.05),
    ("stocks", "stocks | DD +2.5 | default", BIAS, "<=", 0.30),
    ("stocks", "stocks | DD +2.5 | default", SHARE, ">=", 0.30),
    ("stocks", "stocks | DD +2.5 | default", KS, "<=", 0.05),
    ("stocks", "stocks | event | default", PROBABILITY, "<=", 0.12),
    ("stocks", "stocks | event | default", LOG_Z, "<=", 0.045),
    ("stocks", "stocks | event | default", SHARE, ">=", 0.30),
    ("stocks", "stocks | event | default", KS, "<=", 0.05),
    ("stocks", "stocks | two | default", BIAS, "<=", 0.15),
    ("stocks", "stocks | two | default", WEIGHTED, "<=", 0.10),
    ("stocks", "stocks | two | default", SHARE, ">=", 0.4),
    ("stocks", "stocks | two | default", KS, "<=", 0.05),
]


def main():
    results = json.loads((HERE / "results.json").read_text())
    print("| row | law, target, settings | measure | threshold | seed 0 | seed 1 | seed 2 | |")
    print("|---|---|---|---|---|---|---|---|")
    for name, key, (label, measure), relation, threshold in ROWS:
        rows = [results.get(f"{key} | {seed}") for seed in SEEDS]
        cells, state = [], ""
        for row in rows:
            if row is None:
                cells.append("not run")
                state = state or "incomplete"
                continue
            value, limit = measure(row), threshold(row) if callable(threshold) else threshold
            holds = value <= limit if relation == "<=" else value >= limit
            state = state if holds else "missed"
            cells.append(f"{value:.3g}" if holds else f"**{value:.3g}**")
        bound = "0.02 + 4 s.e." if callable(threshold) else f"{threshold:g}"
        text = key.replace(" | ", ", ")
        print(f"| {name} | {text} | {label} | {relation} {bound} | {' | '.join(cells)} | {state} |")


if __name__ == "__main__":
    main()
