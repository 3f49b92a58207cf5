"""`block_mean`: the mean of a series of scores with a standard error that allows for memory between neighbours.

Below the scores, imports nothing of this folder.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tsgen.errors import DataError


class BlockMean(NamedTuple):
    """Mean of a series with a standard error from blocks of neighbours."""

    mean: float
    standard_error: float
    n_blocks: int


def block_mean(series: NDArray[np.float64], *, dependent: bool) -> BlockMean:
    """Mean and its standard error from non-overlapping blocks of about ``n^(1/3)`` neighbours.

    Parameters
    ----------
    series : array of shape (unit,)
        At least 8 values.
    dependent : bool
        False: neighbours are independent, blocks of one.

    Returns
    -------
    BlockMean
        The mean is over all values; a last incomplete block is left out of the standard error.

    Raises
    ------
    DataError
        If there are fewer than 8 values, or some are not finite.

    References
    ----------
    Carlstein (1986), "The use of subseries values for estimating the variance of a general statistic".

    Examples
    --------
    >>> block_mean(np.arange(8.0), dependent=False).mean
    3.5
    """
    if len(series) < 8:
        raise DataError(f"a block standard error needs at least 8 values: got {len(series)}. Use more dates.")
    if not np.isfinite(series).all():
        raise DataError(f"a block standard error needs finite values: {int((~np.isfinite(series)).sum())} are not.")
    length = int(np.ceil(len(series) ** (1 / 3))) if dependent else 1
    count = len(series) // length
    means = series[: count * length].reshape(count, length).mean(axis=1)
    return BlockMean(float(series.mean()), float(means.std(ddof=1) / np.sqrt(count)), count)
