"""Processes with known laws: the truth that generators, samplers and metrics are tested against.

Each gives exact samples of shape (path, time, asset); its exact one-step conditional law with noised
score and velocity; and, if it is Gaussian, the mean and covariance of the whole path.
"""

from tsgen.marketdata.known_processes.arma import Arma
from tsgen.marketdata.known_processes.conditional_laws import ConditionalLaw
from tsgen.marketdata.known_processes.factor_model import FactorModel
from tsgen.marketdata.known_processes.garch_ccc import GarchCcc
from tsgen.marketdata.known_processes.gaussian_law import GaussianLaw
from tsgen.marketdata.known_processes.gaussian_mixture_law import GaussianMixtureLaw
from tsgen.marketdata.known_processes.gaussian_path import GaussianPath
from tsgen.marketdata.known_processes.gaussian_process_kernel import KernelProcess, powered_exponential, rbf
from tsgen.marketdata.known_processes.known_process import (
    ConditionallyKnownProcess,
    GaussianPathProcess,
    KnownProcess,
)
from tsgen.marketdata.known_processes.markov_switching_ar import MarkovSwitchingAr
from tsgen.marketdata.known_processes.student_t_ar import StudentTAr
from tsgen.marketdata.known_processes.student_t_law import StudentTLaw
from tsgen.marketdata.known_processes.vector_autoregression import VarProcess

__all__ = [
    "Arma",
    "ConditionalLaw",
    "ConditionallyKnownProcess",
    "FactorModel",
    "GarchCcc",
    "GaussianLaw",
    "GaussianMixtureLaw",
    "GaussianPath",
    "GaussianPathProcess",
    "KernelProcess",
    "KnownProcess",
    "MarkovSwitchingAr",
    "StudentTAr",
    "StudentTLaw",
    "VarProcess",
    "powered_exponential",
    "rbf",
]
