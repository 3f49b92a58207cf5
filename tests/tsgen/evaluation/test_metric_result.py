"""The verdict rule: rank p-values, suspicion, and refusals."""

import numpy as np
import pytest
from scipy import stats

from tsgen.errors import ConfigError, DataError
from tsgen.evaluation import MetricResult, judge, results_by_name

FACTS = {
    "group": "g",
    "metric": "m",
    "value": 1.0,
    "floor": 0.5,
    "floor_deviation": 0.25,
    "standard_error": 0.1,
    "verdict": "at floor",
    "p_value": 0.5,
    "n": 10,
}


def test_p_value_is_the_rank():
    nulls = np.arange(99.0)
    for value, p in [(98.5, 0.01), (97.5, 0.02), (94.5, 0.05), (93.5, 0.06), (-1.0, 1.0), (98.0, 0.02)]:
        assert judge(value, nulls).p_value == pytest.approx(p)
    assert judge(94.5, nulls).verdict == "above floor"
    assert judge(93.5, nulls).verdict == "at floor"
    assert judge(0.0, nulls).verdict == "at floor"
    assert judge(-0.5, nulls).verdict == "below floor"
    assert judge(-0.5, nulls[1:]).verdict == "at floor"  # 98 null values cannot show the 1 % level
    assert judge(1.0, nulls).floor == pytest.approx(49.0)
    assert judge(1.0, nulls).floor_deviation == pytest.approx(np.std(nulls, ddof=1))


def test_scenarios_without_variety_are_suspicious():
    assert judge(0.0, np.zeros(99)).verdict == "below floor"
    # rounding must not decide
    assert judge(1.0, np.full(99, 1.0 + 1e-15)).verdict == "below floor"


def test_exact_level_under_the_null():
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((4000, 100))
    rejected = sum(judge(row[0], row[1:]).verdict == "above floor" for row in draws)
    # p <= 0.05 has probability exactly 5/100 for exchangeable draws
    assert stats.binomtest(rejected, 4000, 0.05).pvalue > 1e-4


def test_excess():
    assert MetricResult(**FACTS).excess == 2.0
    assert MetricResult(**(FACTS | {"floor_deviation": 0.0})).excess == 0.0


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"value": np.nan}, DataError, "value of g / m must be finite: got nan"),
        ({"floor": np.inf}, DataError, "floor of g / m must be finite"),
        ({"standard_error": -1.0}, DataError, "must not be negative"),
        ({"verdict": "fine"}, ConfigError, r"verdict must be one of below floor, .* got 'fine'"),
        ({"p_value": 1.5}, ConfigError, r"p_value must be in \[0, 1\] or None: got 1.5"),
        ({"n": 0}, ConfigError, "must be positive: got 0"),
    ],
)
def test_bad_results_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        MetricResult(**(FACTS | change))


def test_bad_nulls_are_refused():
    with pytest.raises(DataError, match="at least 19 null values"):
        judge(1.0, np.zeros(18))
    with pytest.raises(DataError, match="value and null values must be finite"):
        judge(np.nan, np.zeros(30))
    with pytest.raises(DataError, match="value and null values must be finite"):
        judge(0.0, np.full(30, np.inf))


def test_names_occur_once():
    result = MetricResult(**FACTS)
    assert results_by_name([result]) == {"m": result}
    with pytest.raises(DataError, match="'m' occurs twice"):
        results_by_name([result, result])
