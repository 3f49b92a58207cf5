"""Deletion filter: minimal on every monotone conflict."""

from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.conflict import minimal_conflict


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sets(st.integers(0, 7), min_size=1), min_size=1, max_size=4))
def test_result_conflicts_and_no_part_of_it_does(cores):
    def conflicting(items):
        return any(core <= set(items) for core in cores)

    found = minimal_conflict(list(range(8)), conflicting)
    assert conflicting(found)
    assert all(not conflicting([other for other in found if other != item]) for item in found)


def test_early_items_are_dropped_first():
    def conflicting(items):
        return len(items) >= 2

    assert minimal_conflict(["default", "a", "b"], conflicting) == ["a", "b"]
