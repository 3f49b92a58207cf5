"""Are differences between group scores larger than their errors? Delete-a-block jackknife over the years judged.

    OMP_NUM_THREADS=1 python examples/experiments/scorecard_us_stocks/group_errors.py [--years 2006-2013]

The scenarios of run.py's first seed are drawn once; every group is then scored on all years and with one ninth of the
dates left out at a time, the same dates for every model, so what all models share cancels in differences. The forecast
group is without its calibration by regime. Monte Carlo noise that differs between the ten scorings is counted about
threefold: the errors of the signature and classifier groups are mostly that. Models are fitted to the years before
those judged; the design of our own was chosen on the years to 2013. Writes group_errors.json beside this file after
each model; one to four minutes a model on one core.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import run
from numpy.typing import NDArray

import tsgen
from tsgen import EvaluationConfig
from tsgen.complete_files import write_json
from tsgen.errors import DataError
from tsgen.evaluation import PairedWindows
from tsgen.evaluation.daily_forecasts import forecast_daily
from tsgen.evaluation.evaluation_period import EvaluationPeriod, evaluation_period
from tsgen.evaluation.forecast_calibration import forecast_calibration_metrics
from tsgen.evaluation.forecast_pool import pool_forecasts
from tsgen.evaluation.metric_families import compute_families, window_families
from tsgen.evaluation.metric_score import group_scores
from tsgen.evaluation.tail_risk_metrics import expected_shortfall_metrics, value_at_risk_metrics
from tsgen.evaluation.window_pairing import windows_at
from tsgen.random_streams import numpy_stream

RESULTS = Path(__file__).with_name("group_errors.json")
N_BLOCKS = 9
CUTOFFS = {"2014-2022": run.CUTOFF, "2006-2013": "2005-12-31"}
SEED = 0
OWN = "AdaptedDiffusionGenerator"
RIVALS = (
    "FHS, EWMA filter",
    "FHS, GARCH filter",
    "FHS, GJR filter",
    "GARCH-t, constant correlation",
    "GARCH-t, dynamic correlation",
    "Student-t copula, i.i.d.",
    "VAR(1), bootstrapped residuals",
    "stationary bootstrap",
)
Kept = NDArray[np.bool_]


def kept_units(n_units: int) -> list[Kept]:
    """All units, then all but one block of consecutive ones."""
    blocks = np.arange(n_units) * N_BLOCKS // n_units
    return [np.ones(n_units, bool), *(blocks != b for b in range(N_BLOCKS))]


def scores_of(model: Any, period: EvaluationPeriod, config: EvaluationConfig) -> pd.DataFrame:
    """Group scores with all dates (first row) and without one block."""
    panel, effort = period.panel, config.effort
    at = period.window_dates(config.horizon)
    windows = windows_at(model, panel, at, horizon=config.horizon, n_scenarios=config.n_scenarios, seed=SEED)
    dates = period.daily_dates(config.max_daily_dates)
    daily = forecast_daily(model, panel, dates, n_scenarios=config.n_daily_scenarios, seed=SEED)
    rows = []
    for units, days in zip(kept_units(windows.n_units), kept_units(daily.n_dates), strict=True):
        some = PairedWindows(
            realised=windows.realised[units],
            generated=windows.generated[units],
            assets=windows.assets,
            kind=windows.kind,
            dates=at[units],
        )
        stand_ins = min(effort.null_worlds, config.n_daily_scenarios)
        pool = pool_forecasts(daily.at(days), rng=numpy_stream(SEED, "daily forecasts"), n_stand_ins=stand_ins)
        results, skipped = compute_families(
            (
                ("forecast calibration", lambda p=pool: forecast_calibration_metrics(p)),
                ("value at risk", lambda p=pool: value_at_risk_metrics(p)),
                ("expected shortfall", lambda p=pool: expected_shortfall_metrics(p)),
                *window_families(some, seed=SEED, effort=effort, dated=True),
            )
        )
        if skipped:  # a group without one of its metrics is another group
            raise DataError(f"not every metric can be computed without a block: {skipped}.")
        rows.append(group_scores(results))
    return pd.DataFrame(rows).reset_index(drop=True)


def jackknife_error(left_out: pd.DataFrame) -> pd.Series:
    """Standard error from values with one of N_BLOCKS blocks left out."""
    return np.sqrt((N_BLOCKS - 1) * left_out.var(ddof=0))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--years", choices=CUTOFFS, default="2014-2022")
    years = arguments.parse_args().years
    panel = tsgen.load_returns("us_stocks").until(f"{years[-4:]}-12-31")
    train, _ = panel.split(CUTOFFS[years])
    models = {OWN: tsgen.fit_generator(train, seed=SEED)}
    fitted = run.fitted_baselines(train)
    models |= {name: fitted[name] for name in RIVALS}
    period, config = evaluation_period(panel, {OWN: models[OWN]}, history=None, warm_up=0.5), EvaluationConfig()
    own, found = pd.DataFrame(), {}
    for name, model in models.items():
        scores = scores_of(model, period, config)
        own = scores if name == OWN else own
        difference = own - scores
        table = pd.DataFrame(
            {
                "score": scores.iloc[0],
                "standard_error": jackknife_error(scores.iloc[1:]),
                "own_minus_this": difference.iloc[0],
                "its_standard_error": jackknife_error(difference.iloc[1:]),
            }
        )
        found[name] = {str(g): {c: round(float(v), 4) for c, v in row.items()} for g, row in table.T.to_dict().items()}
        stored = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        write_json(RESULTS, stored | {"seed": SEED, "n_blocks": N_BLOCKS, years: found})
        print(name, json.dumps(found[name], indent=1), flush=True)


if __name__ == "__main__":
    main()
