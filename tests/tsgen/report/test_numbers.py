"""The numbers behind charts and tables, against closed forms and direct counting."""

import numpy as np
import pandas as pd
import pytest

from portfolio import equal_weight, scenario_moments
from tsgen.errors import ConfigError, DataError
from tsgen.marketdata import ReturnPanel
from tsgen.report import Policy, RunReport
from tsgen.report.fan_numbers import LEVELS, fan_numbers
from tsgen.report.figures_dependence import (
    correlation_figure,
    correlations_of_pairs,
    scenario_covariance,
    volatility_figure,
)
from tsgen.report.figures_fan import fan_figures
from tsgen.report.figures_performance import drawdown, performance_figure
from tsgen.report.horizon_table import historical_horizon_returns, horizon_table, recent_part
from tsgen.report.report_tables import performance_rows, policy_rows, weight_rows
from tsgen.scenario_set import ScenarioSet


def test_fan_of_one_asset_equals_the_quantile_paths_of_the_scenario_set(report):
    unit = np.array([0.0, 1.0, 0.0])
    expected = report.scenarios.quantile_paths(LEVELS, asset="B").to_numpy().T
    np.testing.assert_allclose(fan_numbers(report.scenarios, unit, test=None).quantiles[:, 1:], expected, atol=1e-15)


def test_fan_uses_probabilities_and_starts_at_zero():
    scenarios = ScenarioSet(returns=[[[0.1]], [[-0.1]]], assets=["A"], kind="simple", probabilities=[0.02, 0.98])
    numbers = fan_numbers(scenarios, np.array([1.0]), test=None)
    assert numbers.quantiles[:, 0].tolist() == [0.0] * len(LEVELS)
    # 98 % of the probability is on -0.1; equal probabilities would put the 95 % quantile on +0.1
    np.testing.assert_allclose(numbers.quantiles[LEVELS.index(0.95), 1], -0.1)


def test_what_happened_is_buy_and_hold_of_the_later_panel(report):
    w = np.array([0.5, 0.25, 0.25])
    realised = fan_numbers(report.scenarios, w, test=report.test).realised
    grown = np.exp(report.test.values[: report.scenarios.horizon].sum(axis=0))
    np.testing.assert_allclose(realised[-1], w @ grown - 1.0, atol=1e-14)
    assert len(realised) == report.scenarios.horizon + 1


def test_a_short_later_panel_gives_a_short_line(make_report):
    report = make_report(horizon=60)
    assert len(fan_numbers(report.scenarios, np.ones(3) / 3, test=report.test).realised) == report.test.n_dates + 1


def test_historical_windows_compound(report):
    got = historical_horizon_returns(report.train, 5)
    assert got.shape == (report.train.n_dates - 4, 3)
    np.testing.assert_allclose(got[7], np.expm1(report.train.values[7:12].sum(axis=0)), atol=1e-14)


def test_horizon_table_against_direct_sums(report):
    table = horizon_table(report)
    outcome = report.scenarios.horizon_returns()[:, 2]
    row = table.loc[("C", "generated")]
    np.testing.assert_allclose(row["mean"], outcome.mean(), atol=1e-15)
    np.testing.assert_allclose(row["volatility"], outcome.std(), atol=1e-15)
    np.testing.assert_allclose(row["standard error"], outcome.std() / np.sqrt(200), rtol=1e-12)
    # 5 % of 200 lies on a jump: rounding in the cumulated probabilities decides between two order statistics
    assert row["5 %"] in np.sort(outcome)[9:11]
    past = table.loc[("C", "history")]
    # 120 dates hold 24 windows of 5 that do not overlap; counting all 116 would understate the error
    np.testing.assert_allclose(past["standard error"], past["volatility"] / np.sqrt(24), rtol=1e-12)


def test_horizon_table_has_no_history_rows_if_history_is_short(make_report):
    table = horizon_table(make_report(horizon=61))
    assert set(table.index.get_level_values("source")) == {"generated"}


def test_recent_part_keeps_the_last_dates(report):
    assert recent_part(report.train, 10).dates.equals(report.train.dates[-10:])
    assert recent_part(report.train, 1000).n_dates == report.train.n_dates


def test_pooled_covariance_against_numpy_and_probabilities(report):
    rows = report.scenarios.returns.reshape(-1, 3)
    np.testing.assert_allclose(scenario_covariance(report.scenarios), np.cov(rows, rowvar=False, ddof=0), atol=1e-15)
    doubled = ScenarioSet(returns=[[[0.1]], [[0.1]], [[-0.2]]], assets=["A"], kind="simple")
    weighted = ScenarioSet(returns=[[[0.1]], [[-0.2]]], assets=["A"], kind="simple", probabilities=[2 / 3, 1 / 3])
    np.testing.assert_allclose(scenario_covariance(weighted), scenario_covariance(doubled), atol=1e-16)


def test_correlations_of_pairs_are_those_of_numpy(report):
    cov = np.cov(report.train.values, rowvar=False)
    expected = np.corrcoef(report.train.values, rowvar=False)[np.triu_indices(3, k=1)]
    np.testing.assert_allclose(correlations_of_pairs(cov), expected, atol=1e-12)


def test_volatility_is_annualised_only_where_a_year_is_known(report):
    x = volatility_figure(report).data[0].x
    expected = np.sqrt(np.diag(scenario_covariance(report.scenarios)) * 252)
    np.testing.assert_allclose(x, expected, rtol=1e-5)  # six digits are drawn


def test_one_asset_has_no_correlation_chart(make_report):
    report = make_report(("A",))
    assert correlation_figure(report) is None
    assert len(fan_figures(report)) == 2


def test_many_assets_or_long_horizons_do_not_blow_up_the_file(make_report):
    many = make_report(tuple(f"N{i}" for i in range(90)), n=50)
    assert len(fan_figures(many)) == 60
    assert len(fan_figures(make_report(horizon=5000, n=10))) == 1


def test_drawdown_counts_the_start_as_a_peak():
    assert drawdown(np.array([0.8, 0.9])).round(12).tolist() == [0.2, 0.1]


def test_performance_chart_and_table_show_the_same_maximum_drawdown(report):
    figure = performance_figure(report)
    realised = report.policies[0].realised
    np.testing.assert_allclose(max(figure.data[1].y), realised.maximum_drawdown, rtol=1e-5)
    assert performance_rows(report).rows[0][4] == f"{100 * realised.maximum_drawdown:.1f} %"


def test_tables_state_weights_and_moments(report):
    w, moments = np.ones(3) / 3, scenario_moments(report.scenarios)
    row = policy_rows(report).rows[0]
    assert row[3] == "3.0"
    assert row[4] == f"{100 * moments.mean @ w:+.2f} %"
    assert row[5] == f"{100 * np.sqrt(w @ moments.covariance @ w):.2f} %"
    assert weight_rows(report).rows[1] == ["B", "33.33 %"]


def test_inaccurate_weights_are_flagged(make_report):
    from portfolio import Allocation

    weights = pd.Series({"A": 1.0, "B": 0.0, "C": 0.0})
    rough = Allocation(weights=weights, status="optimal_inaccurate", objective=0.0)
    report = make_report(policies=(Policy(name="p", basis="b", allocation=rough),))
    assert "reduced accuracy" in policy_rows(report).rows[0][1]


def test_a_report_refuses_other_assets_and_no_policies(report):
    fields = {k: getattr(report, k) for k in RunReport.__dataclass_fields__}
    with pytest.raises(DataError, match="at least one policy"):
        RunReport(**fields | {"policies": ()})
    with pytest.raises(DataError, match="policy 'other' must have the assets of the scenarios in their order"):
        other = Policy(name="other", basis="", allocation=equal_weight(["A", "C", "B"]))
        RunReport(**fields | {"policies": (other,)})
    swapped = report.train.select(["B", "A", "C"])
    with pytest.raises(DataError, match="train must have the assets"):
        RunReport(**fields | {"train": swapped})


def test_a_policy_needs_a_name():
    with pytest.raises(ConfigError, match="needs a name"):
        Policy(name=" ", basis="", allocation=equal_weight(["A"]))


def test_irregular_dates_are_not_annualised(make_report):
    from tsgen.report.figure_style import period_name, periods_per_year

    assert periods_per_year("irregular") is None
    assert period_name("monthly") == "months"
    assert isinstance(make_report().train, ReturnPanel)
