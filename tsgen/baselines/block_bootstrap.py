"""`BlockBootstrap`: history cut into blocks of fixed length, all assets together."""

import math
from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from tsgen.baselines.addressed_draws import AddressedDraws
from tsgen.baselines.fitted_baseline import FittedBaseline
from tsgen.baselines.stationary_bootstrap import automatic_block_length, check_block_length
from tsgen.baselines.training_data import training_panel
from tsgen.errors import ConfigError
from tsgen.marketdata import ReturnPanel


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class BlockBootstrap(FittedBaseline):
    """Rows of the training panel in blocks of ``block_length`` periods, started at random.

    Attributes
    ----------
    values : ndarray of shape (date, asset), float64
        The training returns.
    block_length : int
        Periods; 1 is the i.i.d. bootstrap.
    circular : bool
        Whether blocks wrap from the last to the first date (every date equally likely) or lie within the panel
        (moving blocks, dates near the ends less likely).

    Notes
    -----
    Without memory: of a history it takes only the date. The first block starts in the first period.

    References
    ----------
    Kuensch (1989), "The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17
    (moving). Politis, Romano (1992), "A circular block-resampling procedure for stationary data".

    Examples
    --------
    >>> import pandas as pd
    >>> values = np.random.default_rng(0).normal(0.0, 0.01, size=(50, 2))
    >>> frame = pd.DataFrame(values, columns=["A", "B"], index=pd.bdate_range("2024-01-01", periods=50))
    >>> baseline = BlockBootstrap.fit(ReturnPanel(frame, kind="log"), block_length=5)
    >>> baseline.sample(3, 7, seed=0).returns.shape
    (3, 7, 2)
    """

    name: ClassVar[str] = "block_bootstrap"
    values: NDArray[np.float64]
    block_length: int
    circular: bool

    @classmethod
    def fit(cls, panel: ReturnPanel, *, block_length: int | None = None, circular: bool = True) -> Self:
        """Keep the panel and choose the block length.

        Parameters
        ----------
        panel : ReturnPanel
            At least 20 dates.
        block_length : int, optional
            At least 1 and below the number of dates. Default: `automatic_block_length`, rounded up.
        circular : bool

        Raises
        ------
        ConfigError
            If ``panel`` is no panel, or the length is out of range or not whole.
        DataError
            If the panel is too short.
        """
        training = training_panel(panel, n_dates=20, purpose="resample blocks")
        notes: list[str] = []
        if block_length is None:
            block_length = min(math.ceil(automatic_block_length(panel, "circular")), panel.n_dates - 1)
            notes.append(f"block length chosen automatically: {block_length} periods")
        check_block_length(block_length, panel.n_dates, name="block_length")
        if int(block_length) != block_length:
            raise ConfigError(f"block_length must be a whole number of periods: got {block_length!r}.")
        return cls(
            record=training.record.with_notes(notes),
            values=panel.values,
            block_length=int(block_length),
            circular=bool(circular),
        )

    def _simulate(self, draws: AddressedDraws, horizon: int, past: NDArray[np.float64] | None) -> NDArray[np.float64]:
        del past
        n_dates = len(self.values)
        n_starts = n_dates if self.circular else n_dates - self.block_length + 1
        starts = [draws.integers("start", period=t, below=n_starts) for t in range(0, horizon, self.block_length)]
        rows = np.stack(starts, axis=1)[:, :, None] + np.arange(self.block_length)
        return self.values[rows.reshape(draws.n_rows, -1)[:, :horizon] % n_dates]
