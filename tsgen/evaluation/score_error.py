"""Score error: a learned velocity against the exact one, noise level by noise level, on known processes.

On a process whose one-step conditional law is known, the perfect answer ``F(u, tau)`` exists in closed form.
Averages hide where a network fails: near clean data small errors decide the tails, near pure noise nothing
is left to learn. Takes any callable and does not need torch.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.evaluation.metric_result import MetricResult
from tsgen.marketdata.known_processes import ConditionallyKnownProcess
from tsgen.random_streams import numpy_stream

Velocity = Callable[[NDArray[np.float64], float, NDArray[np.float64]], NDArray[np.float64]]

_GROUP = "score error"


def score_error(
    velocity: Velocity,
    process: ConditionallyKnownProcess,
    *,
    angles: Sequence[float],
    past_lengths: Sequence[int],
    n_paths: int,
    seed: int,
) -> tuple[MetricResult, ...]:
    """Relative root mean square error of a velocity at each noise level.

    ``sqrt(E|F - F*|^2 / E|F*|^2)`` over pasts and noised next values drawn from the process.

    Parameters
    ----------
    velocity : callable
        ``velocity(u, tau, past)`` with ``u`` (B, N) noised next returns, ``tau`` radians in (0, pi/2], ``past``
        (B, t, N) in the unit of the process; returns (B, N), ``E[cos(tau) eps - sin(tau) z | u, past]``.
    process : ConditionallyKnownProcess
    angles : sequence of float
        Noise levels in (0, pi/2]; 0 is clean data.
    past_lengths : sequence of int
        Numbers of observed periods t, averaged over; 0 is the start of a path.
    n_paths : int
        Draws per past length, at least 20.
    seed : int

    Returns
    -------
    tuple of MetricResult
        One per angle, verdict ``"report"``, floor 0 (the exact velocity), standard error by the delta method over
        draws. The note has the error of the score itself: score errors are velocity errors times ``cot(tau)``.

    Raises
    ------
    ConfigError
        If angles, past lengths or counts are out of range.
    ShapeError
        If the velocity returns another shape than ``u``.
    DataError
        If the velocity returns values that are not finite, or the exact one is zero throughout (pure noise of a law
        with mean zero): no relative error exists there.

    Examples
    --------
    >>> from tsgen.marketdata.known_processes import Arma
    >>> process = Arma(phi=[0.5], theta=[])
    >>> def exact(u, tau, past):
    ...     return process.conditional_law(past).velocity(u, tau)
    >>> results = score_error(exact, process, angles=[0.3, 1.2], past_lengths=[0, 3], n_paths=50, seed=0)
    >>> [r.value for r in results]
    [0.0, 0.0]
    """
    _check(angles, past_lengths, n_paths)
    rng = numpy_stream(seed, _GROUP)
    longest = max(past_lengths)
    paths = process.sample(n_paths * len(past_lengths), longest + 1, rng=rng)
    noise = rng.standard_normal((len(paths), process.n_assets))
    results = []
    for tau in angles:
        parts = [
            _squares(velocity, process, paths[i::step], noise[i::step], float(tau), length)
            for step in [len(past_lengths)]
            for i, length in enumerate(past_lengths)
        ]
        error, size, score = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        results.append(_result(float(tau), error, size, score))
    return tuple(results)


def _squares(
    velocity: Velocity,
    process: ConditionallyKnownProcess,
    paths: NDArray[np.float64],
    noise: NDArray[np.float64],
    tau: float,
    length: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Squared velocity error, squared velocity and squared score of every draw."""
    past, following = paths[:, :length], paths[:, length]
    noised = np.cos(tau) * following + np.sin(tau) * noise
    law = process.conditional_law(past)
    exact = law.velocity(noised, tau)
    answer = np.asarray(velocity(noised.copy(), tau, past.copy()), dtype=np.float64)
    if answer.shape != noised.shape:
        raise ShapeError(f"the velocity must return the shape of u: expected {noised.shape}, got {answer.shape}.")
    if not np.isfinite(answer).all():
        raise DataError(f"the velocity is not finite at tau = {tau:.4g}, past length {length}. Check the network.")
    score = law.noised_score(noised, tau)
    return ((answer - exact) ** 2).sum(axis=1), (exact**2).sum(axis=1), (score**2).sum(axis=1)


def _result(
    tau: float, error: NDArray[np.float64], size: NDArray[np.float64], score: NDArray[np.float64]
) -> MetricResult:
    # noise has unit variance, so rounding alone leaves about 1e-16 where the answer is zero
    if size.mean() < 1e-28:
        raise DataError(
            f"the exact velocity is zero at tau = {tau:.4g}: a relative error does not exist. Use smaller angles, "
            "pasts that tell something, or a process whose mean is not zero."
        )
    ratio = error.mean() / size.mean()
    value = float(np.sqrt(ratio))
    # delta method for a ratio of means, then for the root
    deviation = float(np.std(error - ratio * size, ddof=1) / (size.mean() * np.sqrt(len(error))))
    relative_score = float(np.sqrt(error.mean() / score.mean()) / np.tan(tau))
    return MetricResult(
        group=_GROUP,
        metric=f"tau {tau:.4g}",
        value=value,
        floor=0.0,
        floor_deviation=0.0,
        standard_error=0.5 * deviation / value if value > 0.0 else 0.0,
        verdict="report",
        p_value=None,
        n=len(error),
        note=f"relative error of the score: {relative_score:.3g}",
    )


def _check(angles: Sequence[float], past_lengths: Sequence[int], n_paths: int) -> None:
    # written so that NaN fails
    if len(angles) == 0 or not all(0.0 < tau <= np.pi / 2 + 1e-7 for tau in angles):
        raise ConfigError(f"angles must be one or more radians in (0, pi/2]: got {list(angles)}.")
    if len(set(angles)) != len(angles):
        raise ConfigError(f"angles must be different: got {list(angles)}. Name each noise level once.")
    if len(past_lengths) == 0 or not all(isinstance(t, (int, np.integer)) and t >= 0 for t in past_lengths):
        raise ConfigError(f"past_lengths must be one or more integers, 0 or more: got {list(past_lengths)}.")
    if isinstance(n_paths, bool) or not isinstance(n_paths, (int, np.integer)) or n_paths < 20:
        raise ConfigError(f"n_paths must be an integer of at least 20 for a standard error: got {n_paths!r}.")
