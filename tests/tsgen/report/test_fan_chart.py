"""The one-call fan chart."""

import numpy as np
import pandas as pd
import pytest

from tsgen import ReturnPanel, ScenarioSet
from tsgen.errors import DataError
from tsgen.report import fan_chart


def make(n=50, asof="2020-01-01"):
    values = 0.01 * np.random.default_rng(0).normal(size=(n, 4, 2))
    return ScenarioSet(values, ["A", "<b>"], "log", asof=asof)


def make_panel(start, assets=("A", "<b>")):
    index = pd.bdate_range(start, periods=6)
    return ReturnPanel(
        pd.DataFrame(np.full((6, 2), 0.01) * [[1, -1]] * [[1], [2], [1], [2], [1], [2]], index, list(assets)),
        kind="log",
    )


def test_median_and_realised_path_are_drawn():
    scenarios, realised = make(), make_panel("2020-01-02")
    figure = fan_chart(scenarios, weights={"A": 1.0}, realised=realised)
    lines = {trace.name: trace for trace in figure.data}
    expected = scenarios.quantile_paths([0.5], asset="A")[0.5].to_numpy()
    np.testing.assert_allclose(lines["median"].y, [0, *expected], atol=1e-4)
    happened = np.expm1(np.cumsum(realised.values[:4, 0]))
    np.testing.assert_allclose(lines["what happened"].y, [0, *happened], atol=1e-4)


def test_asset_names_are_escaped():
    assert "<b>" not in fan_chart(make(), weights=pd.Series({"<b>": 1.0})).layout.title.text
    assert fan_chart(make(), weights={"A": 0.5, "<b>": 0.5}).layout.title.text.startswith("Portfolio")


def test_misuse_is_explained():
    with pytest.raises(DataError, match="unknown asset 'Z'"):
        fan_chart(make(), weights={"Z": 1.0})
    with pytest.raises(DataError, match="realised must have the assets"):
        fan_chart(make(), realised=make_panel("2020-01-02", assets=("A", "C")))
    with pytest.raises(DataError, match="must start after the as-of date"):
        fan_chart(make(), realised=make_panel("2019-12-31"))
