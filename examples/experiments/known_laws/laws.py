"""The processes of the table: what each is, how long its paths are, and which rows of the table it answers."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tsgen.marketdata.known_processes import (
    Arma,
    ConditionallyKnownProcess,
    GarchCcc,
    KernelProcess,
    KnownProcess,
    MarkovSwitchingAr,
    StudentTAr,
    VarProcess,
    powered_exponential,
    rbf,
)

Row = Literal["adapted", "covariance", "conditional", "volatility"]


@dataclass(frozen=True, kw_only=True)
class Law:
    """One law of the table."""

    process: KnownProcess
    horizon: int
    row: Row
    lags: int = 10
    """Lags of the autocorrelation of absolute returns."""


@dataclass(frozen=True)
class AfterBurnIn:
    """A process observed from a late period on: started at its stationary law, the first state unknown."""

    process: ConditionallyKnownProcess
    burn_in: int

    @property
    def n_assets(self) -> int:
        """Number of assets."""
        return self.process.n_assets

    def sample(self, n_paths: int, horizon: int, *, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent paths of shape (n_paths, horizon, N)."""
        parts = [
            self.process.sample(min(2000, n_paths - first), self.burn_in + horizon, rng=rng)[:, self.burn_in :]
            for first in range(0, n_paths, 2000)
        ]
        return np.concatenate(parts)


def _correlation(n_assets: int, rho: float) -> NDArray[np.float64]:
    distance = np.abs(np.subtract.outer(np.arange(n_assets), np.arange(n_assets)))
    return rho ** (distance / 2.0)


def catalogue() -> dict[str, Law]:
    """Every law, by the name it has in results.json."""
    unit = float(Arma((0.6, -0.3), (0.5, 0.2)).covariance(200)[-1, -1] ** 0.5)
    arma = Arma((0.6, -0.3), (0.5, 0.2), innovation_sd=1 / unit)
    var = VarProcess.random_first_order(5, spectral_radius=0.7, rng=np.random.default_rng(70))
    switching = MarkovSwitchingAr([[0.95, 0.05], [0.10, 0.90]], [0.1, -0.2], [[0.3], [-0.2]], [0.6, 1.8])
    alpha, beta = np.array([0.05, 0.08, 0.10, 0.12, 0.15]), np.array([0.92, 0.88, 0.85, 0.80, 0.75])
    garch = GarchCcc(1.0 - alpha - beta, alpha, beta, _correlation(5, 0.6), dof=6.0)
    memory = GarchCcc([0.01], [0.06], [0.93], [[1.0]], dof=8.0)
    return {
        "arma": Law(process=arma, horizon=32, row="adapted"),
        "gp_powered": Law(
            process=KernelProcess(powered_exponential(variance=2.004, length=8.0**1.25, power=0.8)),
            horizon=32,
            row="covariance",
        ),
        "gp_rbf": Law(process=KernelProcess(rbf(length=4.0, nugget=1e-2)), horizon=32, row="adapted"),
        "var": Law(process=var, horizon=24, row="covariance"),
        "ar_student": Law(process=StudentTAr([0.5], dof=4.0), horizon=32, row="conditional"),
        "switching": Law(process=switching, horizon=32, row="conditional"),
        "garch": Law(process=garch, horizon=32, row="conditional"),
        "garch_memory": Law(process=AfterBurnIn(memory, 600), horizon=250, row="volatility", lags=60),
        "garch_memory_known_start": Law(process=memory, horizon=250, row="volatility", lags=60),
    }
