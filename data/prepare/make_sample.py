"""Make `data/sample/synthetic_prices.csv`: five assets of a one-factor market with GARCH volatility.

    r_t  = 0.0003 + beta * f_t + e_t                          (log returns, decimals per day)
    f_t  = s_t z_t,   s_t^2 = 2e-6 + 0.08 f_{t-1}^2 + 0.90 s_{t-1}^2,   z_t Student-t(6), variance 1
    e_it = idio_i u_it,                                        u_it Student-t(5), variance 1

The factor's stationary volatility is sqrt(2e-6 / 0.02) = 1 % a day. The seed is fixed and prices are
rounded to six significant digits, so that the file comes out the same byte for byte:

    python data/prepare/make_sample.py
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from tsgen.complete_files import write_text
from tsgen.random_streams import numpy_stream

SEED = 20150101
N_DATES = 1500
FIRST_DATE = "2015-01-01"
DRIFT = 0.0003
BETA = {"SYN_A": 0.6, "SYN_B": 0.8, "SYN_C": 1.0, "SYN_D": 1.2, "SYN_E": 1.5}
IDIOSYNCRATIC = np.array([0.006, 0.008, 0.010, 0.012, 0.015])
OMEGA, ALPHA, PERSISTENCE = 2e-6, 0.08, 0.90
FACTOR_DEGREES, IDIOSYNCRATIC_DEGREES = 6.0, 5.0
DEFAULT_TARGET = Path(__file__).resolve().parents[1] / "sample" / "synthetic_prices.csv"


def unit_student(rng: np.random.Generator, degrees: float, shape: tuple[int, ...]) -> np.ndarray:
    """Student-t draws scaled to variance one."""
    return rng.standard_t(degrees, size=shape) * np.sqrt((degrees - 2.0) / degrees)


def simulate_prices() -> pd.DataFrame:
    """Prices of shape (date, asset), starting at 100."""
    rng = numpy_stream(SEED, "synthetic sample prices")
    innovations = unit_student(rng, FACTOR_DEGREES, (N_DATES - 1,))
    idiosyncratic = unit_student(rng, IDIOSYNCRATIC_DEGREES, (N_DATES - 1, len(BETA))) * IDIOSYNCRATIC
    factor = np.empty(N_DATES - 1)
    variance = OMEGA / (1.0 - ALPHA - PERSISTENCE)
    for t, z in enumerate(innovations):
        factor[t] = np.sqrt(variance) * z
        variance = OMEGA + ALPHA * factor[t] ** 2 + PERSISTENCE * variance
    returns = DRIFT + factor[:, None] * np.array(list(BETA.values())) + idiosyncratic
    levels = 100.0 * np.exp(np.vstack([np.zeros(len(BETA)), np.cumsum(returns, axis=0)]))
    dates = pd.bdate_range(FIRST_DATE, periods=N_DATES, name="date")
    return pd.DataFrame(levels, index=dates, columns=list(BETA))


def sample_text() -> str:
    """The whole file as text."""
    return simulate_prices().to_csv(float_format="%.6g", date_format="%Y-%m-%d", lineterminator="\n")


def main() -> None:
    """Write the file to its place, or to the path given."""
    parser = argparse.ArgumentParser(description="Write the synthetic sample prices.")
    parser.add_argument("target", nargs="?", type=Path, default=DEFAULT_TARGET)
    target = parser.parse_args().target
    write_text(target, sample_text())
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
