"""The split in time: parts in order, the gap kept, short series refused."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import time_ordered_split


@given(n=st.integers(2, 500), fraction=st.floats(0.01, 0.99), purge=st.integers(0, 50))
def test_train_gap_and_validation_partition_the_range(n, fraction, purge):
    n_validation = max(1, int(n * fraction + 0.5))
    assume(n - n_validation - purge >= 1)
    train, validation = time_ordered_split(n, validation_fraction=fraction, purge=purge)
    items = range(n)
    assert train.start == 0
    assert len(items[train]) + purge + len(items[validation]) == n
    assert validation.start - train.stop == purge
    assert validation.stop == n
    # rounded to the nearest count
    assert abs(len(items[validation]) - n * fraction) <= 0.5 + 1e-9 or len(items[validation]) == 1


@given(length=st.integers(1, 20), n=st.integers(60, 200))
def test_a_purge_of_window_length_less_one_separates_windows(length, n):
    """Window i covers dates i .. i + length - 1. One purged item less would share a date."""
    for purge, shares in ((length - 1, False), (length - 2, True)):
        if purge < 0:
            continue
        train, validation = time_ordered_split(n, validation_fraction=0.2, purge=purge)
        last_trained_date = train.stop - 1 + length - 1
        assert (last_trained_date >= validation.start) is shares


def test_nothing_to_train_on():
    with pytest.raises(DataError, match="10 items less 5 for validation and 5 purged gives 0"):
        time_ordered_split(10, validation_fraction=0.5, purge=5)
    with pytest.raises(DataError, match="nothing is left to train on: 1 items"):
        time_ordered_split(1, validation_fraction=0.1, purge=0)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_bad_fraction(fraction):
    with pytest.raises(ConfigError, match="validation_fraction must lie strictly between 0 and 1"):
        time_ordered_split(10, validation_fraction=fraction, purge=0)


@pytest.mark.parametrize(("n", "purge", "name"), [(0, 0, "n"), (10.0, 0, "n"), (10, -1, "purge"), (10, True, "purge")])
def test_bad_counts(n, purge, name):
    with pytest.raises(ConfigError, match=f"^{name} must be a (positive|non-negative) integer"):
        time_ordered_split(n, validation_fraction=0.2, purge=purge)
