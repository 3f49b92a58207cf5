"""How far two exact samples of a law lie apart by the statistics of the table: what 3 standard errors ask for.

    OMP_NUM_THREADS=1 python examples/experiments/known_laws/exact_pairs.py

The largest of 10 to 60 deviations exceeds 3 more often than one does, and errors from 20 batches of heavy-tailed paths
are themselves uncertain. Pairs of 20,000 paths, two minutes on one core; writes exact_pairs.json beside this file.
"""

import json
from pathlib import Path

import numpy as np
from laws import catalogue
from moments import statistics_row

N_PATHS, N_TRAINING, SEED = 20_000, 2_048, 77
PAIRS = {"ar_student": 40, "switching": 40, "garch": 40, "garch_memory": 12}


def main() -> None:
    laws, found = catalogue(), {}
    for name, n_pairs in PAIRS.items():
        law, largest = laws[name], {"acf_abs_z": [], "kurtosis_z": []}
        for pair in range(n_pairs):
            rng = np.random.default_rng([pair, SEED])
            one, other = (law.process.sample(N_PATHS, law.horizon, rng=rng) for _ in range(2))
            row = statistics_row(one, other, n_training=N_TRAINING, lags=law.lags)
            for statistic, values in largest.items():
                values.append(row[statistic])
        found[name] = {"pairs": n_pairs} | {
            statistic: {
                "median": round(float(np.median(values)), 3),
                "largest": round(max(values), 3),
                "beyond_3": sum(v > 3.0 for v in values),
            }
            for statistic, values in largest.items()
        }
        print(name, found[name], flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
