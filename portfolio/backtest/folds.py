"""Walk-forward folds: train on the past, test on the block after it, with gaps that keep the two apart."""

from dataclasses import dataclass
from typing import final

import pandas as pd

from tsgen.errors import ConfigError, DataError
from tsgen.whole_numbers import whole_number


@final
@dataclass(frozen=True, kw_only=True)
class Fold:
    """One training span and the test span after it; all four dates are included.

    Attributes
    ----------
    train_start, train_end : Timestamp
        Span that may be used to train or tune the strategy of this fold.
    test_start, test_end : Timestamp
        First decision, and last close of the test.

    Raises
    ------
    ConfigError
        If the dates are not in order.

    Examples
    --------
    >>> a, b, c, d = pd.bdate_range("2024-01-01", periods=4)
    >>> Fold(train_start=a, train_end=b, test_start=c, test_end=d)
    Fold(train 2024-01-01 to 2024-01-02, test 2024-01-03 to 2024-01-04)
    """

    train_start: pd.Timestamp
    train_end: pd.Timestamp
    test_start: pd.Timestamp
    test_end: pd.Timestamp

    def __post_init__(self) -> None:
        for name in ("train_start", "train_end", "test_start", "test_end"):
            object.__setattr__(self, name, pd.Timestamp(getattr(self, name)))
        if not self.train_start <= self.train_end < self.test_start < self.test_end:
            raise ConfigError(f"a fold needs train_start <= train_end < test_start < test_end: got {self!r}.")

    def __repr__(self) -> str:
        return (
            f"Fold(train {self.train_start.date()} to {self.train_end.date()}, "
            f"test {self.test_start.date()} to {self.test_end.date()})"
        )


def walk_forward_folds(
    dates: pd.DatetimeIndex, *, train: int, test: int, purge: int = 0, embargo: int = 0, expanding: bool = True
) -> tuple[Fold, ...]:
    """Cut dates into consecutive test blocks, each with the training span before it.

    Parameters
    ----------
    dates : DatetimeIndex
        Increasing, for example ``panel.dates``.
    train : int
        Dates of the first training span, and of every one unless ``expanding``.
    test : int
        Returns per test block. A block starts with the close of its first decision and has ``test`` returns after it;
        the last block may be shorter.
    purge : int
        Dates between the end of training and the first decision, belonging to neither. Training targets that reach
        h dates ahead need ``purge=h``.
    embargo : int
        Dates after a test block whose returns belong to no test block, so that the blocks' returns are kept apart
        for tests that treat them as independent. In a walk-forward no training follows a test block that
        it belongs to, so the reason for an embargo in cross-validation does not arise.
    expanding : bool
        Train on everything before, or on the last ``train`` dates only.

    Returns
    -------
    tuple of Fold
        Without embargo, each block starts on the date on which the one before ends, so that their returns neither
        overlap nor leave a gap.

    Raises
    ------
    ConfigError
        If a number is outside its range.
    DataError
        If there are too few dates for one fold.

    References
    ----------
    Lopez de Prado (2018), "Advances in Financial Machine Learning", sections 7.4 and 12.2.

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=10)
    >>> for fold in walk_forward_folds(days, train=4, test=2, purge=1):
    ...     fold
    Fold(train 2024-01-01 to 2024-01-04, test 2024-01-08 to 2024-01-10)
    Fold(train 2024-01-01 to 2024-01-08, test 2024-01-10 to 2024-01-12)
    """
    for name, value, low in (("train", train, 1), ("test", test, 1), ("purge", purge, 0), ("embargo", embargo, 0)):
        whole_number(value, name, least=low)
    folds: list[Fold] = []
    first = train + purge
    while first + 1 < len(dates):
        last = min(first + test, len(dates) - 1)
        end = first - purge - 1
        begin = 0 if expanding else end - train + 1
        folds.append(
            Fold(train_start=dates[begin], train_end=dates[end], test_start=dates[first], test_end=dates[last])
        )
        first = last + embargo
    if not folds:
        raise DataError(
            f"too few dates for one fold: {len(dates)}, but {train} to train on, {purge} purged and two to test are "
            "needed. Load a longer history or train on less."
        )
    return tuple(folds)
