"""Random numbers of a simulation, looked up by (seed, baseline, purpose, block of scenarios, period).

Scenarios come in whole blocks of 256: a longer horizon or more scenarios never move a number that was
there before, and the numbers of a period cannot depend on those of another. Sits on `random_streams`.
"""

from collections.abc import Callable
from typing import final

import numpy as np
from numpy.typing import NDArray

from tsgen.random_streams import stream_key

BLOCK = 256


@final
class AddressedDraws:
    """Draws for all scenarios of one period at a time, in float64.

    Parameters
    ----------
    seed : int
    baseline : str
        Name of the model: two baselines with the same seed are independent.
    n_scenarios : int
        Rounded up to whole blocks; ``n_rows`` is the rounded number.

    Examples
    --------
    >>> few = AddressedDraws(seed=0, baseline="demo", n_scenarios=2).normals("shock", period=3, width=1)
    >>> many = AddressedDraws(seed=0, baseline="demo", n_scenarios=600).normals("shock", period=3, width=1)
    >>> few.shape, many.shape, bool((few == many[:256]).all())
    ((256, 1), (768, 1), True)
    """

    def __init__(self, *, seed: int, baseline: str, n_scenarios: int) -> None:
        self._seed = seed
        self._baseline = baseline
        self._n_blocks = -(-n_scenarios // BLOCK)
        self._keys: dict[str, NDArray[np.uint64]] = {}

    @property
    def n_rows(self) -> int:
        """Number of scenarios in whole blocks."""
        return self._n_blocks * BLOCK

    def _draw(
        self, purpose: str, period: int, make: Callable[[np.random.Generator], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        if purpose not in self._keys:
            self._keys[purpose] = stream_key(self._seed, f"baselines.{self._baseline}.{purpose}")
        key = self._keys[purpose]
        # the same address scheme as random_streams.addressed_normals: 2**128 counter values each
        counters = (np.array([0, 0, period, block], dtype=np.uint64) for block in range(self._n_blocks))
        return np.concatenate([make(np.random.Generator(np.random.Philox(key=key, counter=c))) for c in counters])

    def normals(self, purpose: str, *, period: int, width: int) -> NDArray[np.float64]:
        """Standard normals of shape (n_rows, width)."""
        return self._draw(purpose, period, lambda rng: rng.standard_normal((BLOCK, width)))

    def uniforms(self, purpose: str, *, period: int) -> NDArray[np.float64]:
        """Uniforms on [0, 1) of shape (n_rows,)."""
        return self._draw(purpose, period, lambda rng: rng.random(BLOCK))

    def integers(self, purpose: str, *, period: int, below: int) -> NDArray[np.int64]:
        """Integers 0 .. below - 1 of shape (n_rows,), equally likely."""
        # 53 random bits: the bias is below / 2**53; the minimum guards against rounding up of the product
        scaled = (self.uniforms(purpose, period=period) * below).astype(np.int64)
        return np.minimum(scaled, below - 1)

    def student_scale(self, purpose: str, *, period: int, dof: float) -> NDArray[np.float64]:
        """``sqrt((dof - 2) / chi2_dof)`` of shape (n_rows, 1): turns normals into unit-variance Student-t shocks."""
        chi_squares = self._draw(purpose, period, lambda rng: rng.chisquare(dof, BLOCK))
        return np.sqrt((dof - 2.0) / chi_squares)[:, None]


def blockwise_product(rows: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """``rows @ matrix``, block by block of scenarios.

    A single product over all scenarios may round differently when their number changes; blocks of fixed size
    keep the first scenarios identical to the bit.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, k), n_rows a multiple of 256
    matrix : ndarray of shape (k, n)

    Returns
    -------
    ndarray of shape (n_rows, n), float64

    Examples
    --------
    >>> blockwise_product(np.ones((256, 2)), np.ones((2, 3))).shape
    (256, 3)
    """
    blocks = np.ascontiguousarray(rows).reshape(-1, BLOCK, rows.shape[1])
    return np.concatenate([block @ matrix for block in blocks])
