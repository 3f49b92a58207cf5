"""Signature-kernel distance: one number for the joint law of whole paths, order in time included.

The maximum mean discrepancy (MMD) between real and generated windows with the signature kernel of pysiglib,
an optional dependency that is loaded on the first call. A broad test: others say what is wrong.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError
from tsgen.evaluation.metric_result import MetricResult, judge
from tsgen.evaluation.paired_windows import PairedWindows
from tsgen.evaluation.world_comparison import DEFAULT_EFFORT, ComparisonEffort
from tsgen.random_streams import numpy_stream

_GROUP = "signature"
# the Gram matrix costs (paths * periods)^2: 400 paths of 20 assets and 20 periods take about 3 s on one core
_MOST_PATHS = 400
_MOST_SCENARIOS = 3
_JACKKNIFE_GROUPS = 20


def signature_distance(
    pairs: PairedWindows, *, seed: int, effort: ComparisonEffort = DEFAULT_EFFORT, most_paths: int = _MOST_PATHS
) -> MetricResult:
    """Squared signature-kernel MMD between realised and generated windows.

    Parameters
    ----------
    pairs : PairedWindows
        Windows of at least 2 periods.
    seed : int
    effort : ComparisonEffort
    most_paths : int, default 400
        At least 16. A random subset is used: up to 3 scenarios per unit, and as many units as then fit.

    Returns
    -------
    MetricResult
        The unbiased estimate: it may be negative. Standard error: jackknife over up to 20 groups of units.

    Raises
    ------
    ConfigError
        If pysiglib is missing, or ``seed`` or ``most_paths`` is out of range.
    DataError
        If windows have one period only.

    Notes
    -----
    Paths are cumulated returns in units of their date (`PairedWindows.scaled_members`) from zero, every asset divided
    by its standard deviation over all members and by ``sqrt(T N)``, with time as an additional channel from 0 to 1 and
    a Gaussian static kernel of width one.
    The distance has no unit and depends on this scaling: compare values only at equal T and N.

    References
    ----------
    Chevyrev, Oberhauser (2022), "Signature moments to characterize laws of stochastic processes", section 4;
    Salvi et al. (2021), "The signature kernel is the solution of a Goursat PDE".
    """
    siglib = _pysiglib()
    pairs.require(metric="a signature distance", horizon=2)
    if most_paths < 16:
        raise ConfigError(f"most_paths must be at least 16, or no law can be seen: got {most_paths!r}. Use 400.")
    rng = numpy_stream(seed, _GROUP)
    members = _subset(pairs, most_paths, rng)
    gram = path_gram(siglib, cumulated_paths(members))
    n_units, n_members = members.shape[:2]
    labels = np.zeros(n_units, dtype=np.int64)
    value = _mmd(gram, labels, n_members)
    nulls = [_mmd(gram, rng.integers(n_members, size=n_units), n_members) for _ in range(effort.null_worlds)]
    judgement = judge(value, nulls)
    return MetricResult(
        group=_GROUP,
        metric="signature MMD^2",
        value=value,
        floor=judgement.floor,
        floor_deviation=judgement.floor_deviation,
        standard_error=_jackknife_error(gram, n_units, n_members),
        verdict=judgement.verdict,
        p_value=judgement.p_value,
        n=n_units,
        note=f"{n_units} units with {n_members - 1} scenarios each",
    )


def cumulated_paths(members: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scaled cumulated returns from zero, one row per member.

    Parameters
    ----------
    members : array of shape (unit, member, time, asset)

    Returns
    -------
    ndarray of shape (unit * member, time + 1, asset), float64

    Examples
    --------
    >>> cumulated_paths(np.array([[[[1.0]], [[-1.0]]]])).tolist()
    [[[0.0], [1.0]], [[0.0], [-1.0]]]
    """
    horizon, n_assets = members.shape[2:]
    flat = members.reshape(-1, horizon, n_assets)
    scale = flat.reshape(-1, n_assets).std(axis=0) * np.sqrt(horizon * n_assets)
    paths = np.zeros((len(flat), horizon + 1, n_assets))
    np.cumsum(flat / scale, axis=1, out=paths[:, 1:])
    return paths


def path_gram(siglib: ModuleType, paths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signature-kernel Gram matrix of time-augmented paths, shape (path, path), float64."""
    kernel = siglib.RBFKernel(1.0)
    gram = siglib.sig_kernel_gram(paths, paths, dyadic_order=0, static_kernel=kernel, time_aug=True, n_jobs=1)
    return np.asarray(gram, dtype=np.float64)


def _pysiglib() -> ModuleType:
    # imported here: it loads torch, which takes seconds, and is optional
    try:
        import pysiglib
    except ImportError as error:
        raise ConfigError(
            "the signature distance needs the optional package pysiglib (4.0 or later): install it, or leave this "
            "metric out."
        ) from error
    return pysiglib


def _subset(pairs: PairedWindows, most_paths: int, rng: np.random.Generator) -> NDArray[np.float64]:
    n_scenarios = min(_MOST_SCENARIOS, pairs.n_scenarios)
    n_units = min(pairs.n_units, most_paths // (1 + n_scenarios))
    units = np.sort(rng.permutation(pairs.n_units)[:n_units])
    scenarios = rng.permutation(pairs.n_scenarios)[:n_scenarios]
    return pairs.scaled_members[units][:, np.concatenate([[0], 1 + scenarios])]


def _mmd(
    gram: NDArray[np.float64], labels: NDArray[np.int64], n_members: int, units: NDArray[np.int64] | None = None
) -> float:
    """Unbiased MMD^2 when ``labels`` says which member of each unit is taken as real."""
    kept = np.arange(len(labels)) if units is None else units
    real = np.zeros((len(labels), n_members), dtype=bool)
    real[kept, labels[kept]] = True
    fake = np.zeros_like(real)
    fake[kept] = ~real[kept]
    a, b = real.ravel().astype(np.float64), fake.ravel().astype(np.float64)
    n, m = a.sum(), b.sum()
    own = np.diag(gram)
    to_real, to_fake = gram @ a, gram @ b
    same = (a @ to_real - a @ own) / (n * (n - 1)) + (b @ to_fake - b @ own) / (m * (m - 1))
    return float(same - 2.0 * (a @ to_fake) / (n * m))


def _jackknife_error(gram: NDArray[np.float64], n_units: int, n_members: int) -> float:
    groups = np.array_split(np.arange(n_units), min(_JACKKNIFE_GROUPS, n_units // 2))
    labels = np.zeros(n_units, dtype=np.int64)
    everything = np.arange(n_units)
    values = np.array([_mmd(gram, labels, n_members, np.setdiff1d(everything, g)) for g in groups])
    return float(np.sqrt((len(groups) - 1) / len(groups) * ((values - values.mean()) ** 2).sum()))
