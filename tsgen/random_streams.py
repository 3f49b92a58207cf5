"""Addressed randomness: every draw is a function of (seed, purpose, block, period).

Numbers are not streamed but looked up with a counter-based generator (Philox). Extending the
horizon, changing the number of scenarios or the number of workers, or regenerating one block alone
therefore never moves any other number. Nothing here touches a global random state. Torch's generators are in
`tsgen.torch_streams`, so that this module works without torch.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import ConfigError


def check_seed(seed: int) -> int:
    """Return ``seed`` if it is a non-negative integer; raise `ConfigError` otherwise.

    Examples
    --------
    >>> check_seed(7)
    7
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ConfigError(f"seed must be a non-negative integer: got {seed!r}. Pass for example seed=0.")
    return int(seed)


def stream_key(seed: int, purpose: str) -> NDArray[np.uint64]:
    """Key of the stream ``purpose`` under ``seed``: two words of 64 bits, well mixed."""
    sequence = np.random.SeedSequence(check_seed(seed), spawn_key=(zlib.crc32(purpose.encode()),))
    return sequence.generate_state(2, np.uint64).astype(np.uint64)


def numpy_stream(seed: int, purpose: str) -> np.random.Generator:
    """Independent numpy generator for one purpose; adding a draw elsewhere does not move it.

    Examples
    --------
    >>> a, b = numpy_stream(0, "bootstrap"), numpy_stream(0, "bootstrap")
    >>> bool(a.normal() == b.normal())
    True
    """
    return np.random.Generator(np.random.Philox(key=stream_key(seed, purpose)))


def addressed_normals(
    key: NDArray[np.uint64], *, block: int, period: int, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Standard normals that belong to one scenario block and one trading period.

    Parameters
    ----------
    key : ndarray of shape (2,), uint64
        From `stream_key`.
    block, period : int
        Address. Each address owns 2**128 counter values: no two addresses share a number.
    shape : tuple of int
        Shape of the draw. It is part of the address: another shape gives other numbers.

    Returns
    -------
    ndarray of shape ``shape``, float32

    References
    ----------
    Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3" (Philox).
    """
    counter = np.array([0, 0, period, block], dtype=np.uint64)
    generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
    return generator.standard_normal(shape, dtype=np.float32)


def dated_seed(seed: int, stamp: str) -> int:
    """Seed of the forecasts made at one as-of date: independent noise for every date, the same on every run.

    Parameters
    ----------
    seed : int
    stamp : str
        ISO date.

    Examples
    --------
    >>> dated_seed(0, "2020-01-02") == dated_seed(0, "2020-01-02") != dated_seed(0, "2020-01-03")
    True
    """
    return int(stream_key(seed, f"as of {stamp}")[0] >> np.uint64(1))
