"""The picture in the README: a month ahead, from the end of 2013, beside what happened.

    python examples/experiments/readme_fan_chart/make_picture.py RUN_FOLDER

RUN_FOLDER is the result of ``make run``. Writes fan_chart.png beside this file.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tsgen

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def main(run_folder: str) -> None:
    scenarios = tsgen.ScenarioSet.load(Path(run_folder) / "scenarios.parquet")
    _, test = tsgen.load_returns("us_stocks").split("2013-12-31")
    days = np.arange(scenarios.horizon + 1)
    table = 100 * scenarios.quantile_paths(LEVELS)
    figure, axes = plt.subplots(figsize=(7.5, 3.8), dpi=130)
    for low, high, shade in ((0.01, 0.99, 0.15), (0.05, 0.95, 0.25), (0.25, 0.75, 0.4)):
        axes.fill_between(
            days,
            [0, *table[low]],
            [0, *table[high]],
            color="#1f77b4",
            alpha=shade,
            linewidth=0,
            label=f"{100 * low:g} % to {100 * high:g} %",
        )
    axes.plot(days, [0, *table[0.5]], color="#1f77b4", label="median")
    happened = np.cumprod(1 + test.to_kind("simple").values[: scenarios.horizon], axis=0).mean(axis=1) - 1
    axes.plot(days, 100 * np.concatenate([[0], happened]), color="#d62728", linewidth=2, label="what happened")
    axes.set(
        title=f"20 US stocks, equal weights, as of {scenarios.asof.date()} ({scenarios.n_scenarios:,} scenarios)",
        xlabel="trading days ahead",
        ylabel="cumulated return, %",
        xlim=(0, scenarios.horizon),
    )
    axes.axhline(0, color="grey", linewidth=0.5)
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(Path(__file__).with_name("fan_chart.png"))


if __name__ == "__main__":
    main(sys.argv[1])
