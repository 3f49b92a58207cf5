"""Baselines: what any generator has to beat, behind the same protocol, torch-free.

Simulation models of the trade: bootstraps, filtered historical simulation, GARCH with constant or dynamic
correlation, vector autoregression, ARMA, Gaussian laws, a Student-t copula, and a baseline that copies. Each is
fitted by ``fit``, sampled by ``sample`` as `ScenarioGenerator` says, and stored by ``save`` and `load_baseline`.
Sits above market data, below evaluation.
"""

from pathlib import Path

from tsgen.baselines.arma import Arma
from tsgen.baselines.baseline_storage import rebuild
from tsgen.baselines.block_bootstrap import BlockBootstrap
from tsgen.baselines.filtered_historical_simulation import FilteredHistoricalSimulation
from tsgen.baselines.fitted_baseline import FittedBaseline
from tsgen.baselines.garch_ccc import GarchCcc
from tsgen.baselines.gaussian_process import GaussianProcess
from tsgen.baselines.generator_protocol import ScenarioGenerator
from tsgen.baselines.iid_gaussian import IidGaussian
from tsgen.baselines.regurgitation import Regurgitation
from tsgen.baselines.stationary_bootstrap import StationaryBootstrap
from tsgen.baselines.student_t_copula import StudentTCopula
from tsgen.baselines.training_data import BaselineRecord
from tsgen.baselines.vector_autoregression import VectorAutoregression

_CLASSES: dict[str, type[FittedBaseline]] = {
    c.name: c
    for c in (
        Arma,
        BlockBootstrap,
        FilteredHistoricalSimulation,
        GarchCcc,
        GaussianProcess,
        IidGaussian,
        Regurgitation,
        StationaryBootstrap,
        StudentTCopula,
        VectorAutoregression,
    )
}


def load_baseline(folder: str | Path) -> FittedBaseline:
    """Read a baseline written by its ``save``.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    FittedBaseline
        Of the class that was saved; samples identically.

    Raises
    ------
    CheckpointError
        If the folder is incomplete, damaged, or of another schema version.

    Examples
    --------
    >>> load_baseline("no such folder")
    Traceback (most recent call last):
    ...
    tsgen.errors.CheckpointError: no such folder is not a baseline folder: baseline.json or numbers.safetensors is ...
    """
    return rebuild(_CLASSES, folder)


__all__ = [
    "Arma",
    "BaselineRecord",
    "BlockBootstrap",
    "FilteredHistoricalSimulation",
    "FittedBaseline",
    "GarchCcc",
    "GaussianProcess",
    "IidGaussian",
    "Regurgitation",
    "ScenarioGenerator",
    "StationaryBootstrap",
    "StudentTCopula",
    "VectorAutoregression",
    "load_baseline",
]
