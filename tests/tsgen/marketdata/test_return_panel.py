"""The panel: what it refuses, what it hands out, and that nothing in it depends on the future."""

import datetime as dt
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsgen.errors import ConfigError, DataError, ShapeError
from tsgen.marketdata import ReturnPanel


def make_frame(n=8, assets=("A", "B"), start="2024-01-01", freq="B", seed=0):
    values = np.random.default_rng(seed).normal(0.0, 0.01, (n, len(assets)))
    return pd.DataFrame(values, index=pd.date_range(start, periods=n, freq=freq), columns=list(assets))


def changed(frame, row, column, value):
    frame = frame.copy()
    frame.iloc[row, column] = value
    return frame


def test_holds_what_it_was_given():
    frame = make_frame()
    panel = ReturnPanel(frame, kind="simple", source="mine", provenance={"x": 1})
    np.testing.assert_array_equal(panel.values, frame.to_numpy())
    assert panel.values.dtype == np.float64
    assert (panel.assets, panel.kind, panel.source, panel.provenance) == (("A", "B"), "simple", "mine", {"x": 1})
    assert (panel.n_dates, panel.n_assets, panel.dates.name) == (8, 2, "date")
    pd.testing.assert_frame_equal(panel.returns, frame, check_freq=False, check_names=False, check_index_type=False)


def test_integer_column_names_become_text_and_integer_returns_float64():
    panel = ReturnPanel(pd.DataFrame({7: [0, 1]}, index=pd.DatetimeIndex(["2024-01-01", "2024-01-02"])), kind="log")
    assert panel.assets == ("7",)
    assert panel.values.dtype == np.float64


def test_nobody_can_corrupt_it():
    frame, facts = make_frame(), {"missing": {"policy": "error"}}
    panel = ReturnPanel(frame, kind="log", provenance=facts)
    before = panel.fingerprint()
    frame.iloc[0, 0] = 9.0
    facts["missing"]["policy"] = "forged"
    handed_out = panel.returns
    handed_out.iloc[0, 0] = 9.0
    with pytest.raises(ValueError, match="read-only"):
        panel.values[0, 0] = 9.0
    with pytest.raises(AttributeError):
        panel.kind = "simple"
    for part in (panel.until("2024-01-03"), panel.select("A"), panel.to_kind("simple"), panel.to_kind("log")):
        assert not part.values.flags.writeable
        part.provenance["missing"]["policy"] = "forged"
    assert panel.fingerprint() == before
    assert panel.provenance["missing"]["policy"] == "error"


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (make_frame().to_numpy(), ShapeError, "must be a pandas DataFrame.*got ndarray"),
        (make_frame()["A"], ShapeError, "got Series.*to_frame"),
        (make_frame(0), ShapeError, "at least one date"),
        (make_frame()[[]], ShapeError, "at least one asset column"),
        (make_frame().set_axis(["A", "A"], axis=1), DataError, "names must be unique: A occur"),
        (make_frame().set_axis([1, "1"], axis=1), DataError, "names must be unique: 1 occur"),
        (pd.concat({"Close": make_frame()}, axis=1), ShapeError, "one level of column names.*got 2 levels"),
        (make_frame().reset_index(drop=True), DataError, "indexed by dates.*got RangeIndex"),
        (make_frame().tz_localize("UTC"), DataError, "without time zone: got UTC"),
        (make_frame().iloc[[0, 1, 1, 2]], DataError, "unique dates: 2024-01-02 occurs more than once.*1 repeated"),
        (make_frame().iloc[[0, 2, 1]], DataError, "sorted by date: 2024-01-02 comes after 2024-01-03"),
        (make_frame().iloc[::-1], DataError, "sorted by date: 2024-01-09 comes after 2024-01-10"),
        (make_frame(2).set_axis(pd.DatetimeIndex(["2024-01-01", None])), DataError, "date in every row: row 1"),
        (changed(make_frame(), 2, 1, np.nan), DataError, "1 are missing and 0 infinite.*first for B on 2024-01-03"),
        (changed(make_frame(), 3, 0, -np.inf), DataError, "0 are missing and 1 infinite.*first for A on 2024-01-04"),
        (changed(make_frame(), 2, 1, -1.0), DataError, "above -1.*B on 2024-01-03 has -1.*percent"),
        (make_frame().assign(B=0.01), DataError, "asset B is constant: all 8 returns equal 0.01"),
        (make_frame().assign(A=0.0, B=0.0), DataError, r"asset A \(and 1 more\) is constant"),
        (make_frame().assign(B="x"), DataError, "real numbers: column B"),
        (make_frame().assign(B=1j), DataError, "real numbers: column B has type complex128"),
        (make_frame().assign(B=True), DataError, "real numbers: column B has type bool"),
    ],
)
def test_refuses_with_a_message_that_teaches(frame, error, message):
    with pytest.raises(error, match=message):
        ReturnPanel(frame, kind="simple")


def test_unknown_kind():
    with pytest.raises(ConfigError, match="kind must be 'simple' or 'log': got 'percent'"):
        ReturnPanel(make_frame(), kind="percent")


def test_log_returns_below_minus_one_are_legitimate():
    assert ReturnPanel(changed(make_frame(), 0, 0, -1.5), kind="log").values[0, 0] == -1.5


def test_constant_up_to_rounding_is_constant():
    prices = 100 * 1.0003 ** np.arange(50)  # the same growth every day: ratios differ by rounding only
    frame = make_frame(49).assign(B=np.log(prices[1:] / prices[:-1]))
    assert np.ptp(frame["B"]) > 0
    with pytest.raises(DataError, match="asset B is constant"):
        ReturnPanel(frame, kind="log")


def test_short_histories_and_single_assets_are_fine():
    assert ReturnPanel(make_frame(1), kind="log").frequency == "irregular"
    assert ReturnPanel(make_frame(2).assign(B=0.0), kind="log").n_dates == 2
    assert ReturnPanel(make_frame(5, assets=("A",)), kind="log").values.shape == (5, 1)


def test_three_days_at_one_price_inside_a_longer_panel_are_not_an_error():
    frame = make_frame()
    frame.iloc[:4, 1] = 0.0
    part = ReturnPanel(frame, kind="log").until("2024-01-04")
    assert part.n_dates == 4
    with pytest.raises(DataError, match="asset B is constant: all 4 returns"):
        part.require_history(2, purpose="fit")


@pytest.mark.parametrize(
    ("freq", "expected"),
    [
        ("D", "daily"), ("B", "daily"), ("W", "weekly"), ("ME", "monthly"), ("BME", "monthly"), ("QE", "quarterly"),
        ("BQE", "quarterly"), ("YE", "yearly"), ("h", "irregular"), ("10D", "irregular"),
    ],
)  # fmt: skip
def test_frequency_from_the_median_gap(freq, expected):
    assert ReturnPanel(make_frame(30, freq=freq), kind="log").frequency == expected


def test_parts_keep_the_frequency_of_the_whole():
    panel = ReturnPanel(make_frame(), kind="log")  # 2024-01-05 is a Friday: two dates, three days apart
    assert panel.after("2024-01-04").until("2024-01-08").frequency == "daily"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_fingerprint_ignores_resolution_source_and_negative_zero(unit):
    frame = changed(make_frame(), 0, 0, 0.0)
    other = changed(frame, 0, 0, -0.0).set_axis(frame.index.as_unit(unit), axis=0)
    panel, same = ReturnPanel(frame, kind="log"), ReturnPanel(other, kind="log", source="elsewhere")
    assert panel.fingerprint() == same.fingerprint()
    assert len(panel.fingerprint()) == 64
    assert panel.dates.dtype == same.dates.dtype


def test_fingerprint_sees_every_part():
    frame = make_frame()
    variants = [
        ReturnPanel(frame, kind="log"),
        ReturnPanel(frame, kind="simple"),
        ReturnPanel(frame.rename(columns={"A": "C"}), kind="log"),
        ReturnPanel(frame[["B", "A"]], kind="log"),
        ReturnPanel(frame.set_axis(frame.index + pd.Timedelta(days=1), axis=0), kind="log"),
        ReturnPanel(changed(frame, 5, 1, np.nextafter(frame.iloc[5, 1], 1.0)), kind="log"),
        ReturnPanel(frame.iloc[:-1], kind="log"),
    ]
    assert len({v.fingerprint() for v in variants}) == len(variants)


@given(n=st.integers(2, 40), cut=st.integers(-5, 60))
def test_split_partitions(n, cut):
    panel = ReturnPanel(make_frame(n, freq="D"), kind="log")
    date = panel.dates[0] + pd.Timedelta(days=cut)
    if 0 <= cut < n - 1:
        train, test = panel.split(date)
        pd.testing.assert_frame_equal(pd.concat([train.returns, test.returns]), panel.returns)
        assert train.dates[-1] == date < test.dates[0]
    else:
        with pytest.raises(DataError, match=r"no returns (up to|after)"):
            panel.split(date)


@given(n=st.integers(3, 30), cut=st.integers(0, 28), seed=st.integers(0, 99))
def test_changing_the_future_changes_nothing_before_it(n, cut, seed):
    cut = min(cut, n - 2)
    frame = make_frame(n, seed=seed)
    other = frame.copy()
    other.iloc[cut + 1 :] += np.random.default_rng(seed + 1).normal(size=other.iloc[cut + 1 :].shape)
    date = frame.index[cut]
    panel, perturbed = ReturnPanel(frame, kind="log"), ReturnPanel(other, kind="log")
    for part, same in ((panel.until(date), perturbed.until(date)), (panel.split(date)[0], perturbed.split(date).train)):
        assert part.fingerprint() == same.fingerprint()
        assert part.values.base is None  # no view through which the future could be read
    # the variant that must fail: a cut one day late sees the change
    late = frame.index[cut + 1]
    assert panel.until(late).fingerprint() != perturbed.until(late).fingerprint()


def test_until_and_after_between_dates():
    panel = ReturnPanel(make_frame(), kind="log")  # 6 January 2024 is a Saturday
    assert panel.until("2024-01-06").dates[-1] == pd.Timestamp("2024-01-05")
    assert panel.after("2024-01-06").dates[0] == pd.Timestamp("2024-01-08")


@pytest.mark.parametrize(
    "date", ["2024-01-03", dt.date(2024, 1, 3), dt.datetime(2024, 1, 3), np.datetime64("2024-01-03")]
)
def test_dates_in_every_usual_form(date):
    assert ReturnPanel(make_frame(), kind="log").until(date).n_dates == 3


@pytest.mark.parametrize("date", ["2024", "2024-01", "03/01/2024", "2024-13-01", 2024, 2024.0, None, pd.NaT, [1]])
def test_half_written_dates_are_refused(date):
    with pytest.raises(DataError, match="expected a date written in full"):
        ReturnPanel(make_frame(), kind="log").until(date)


def test_dates_with_time_zone_are_refused():
    with pytest.raises(DataError, match="no time zone"):
        ReturnPanel(make_frame(), kind="log").until(pd.Timestamp("2024-01-03", tz="UTC"))


def test_empty_parts_are_refused():
    panel = ReturnPanel(make_frame(), kind="log")
    with pytest.raises(DataError, match="no returns up to 2023-12-31: the panel starts on 2024-01-01"):
        panel.until("2023-12-31")
    with pytest.raises(DataError, match="no returns after 2024-01-10: the panel ends on 2024-01-10"):
        panel.split("2024-01-10")


def test_select():
    panel = ReturnPanel(make_frame(assets=("AAPL", "BBB", "CC")), kind="log")
    part = panel.select(["CC", "AAPL"])
    np.testing.assert_array_equal(part.values, panel.values[:, [2, 0]])
    assert part.assets == ("CC", "AAPL")
    assert panel.select("BBB").assets == ("BBB",)
    with pytest.raises(DataError, match=r"unknown asset 'APL': this panel has AAPL, BBB, CC.*mean AAPL"):
        panel.select(["APL"])
    with pytest.raises(DataError, match=r"different asset names: got \['CC', 'CC'\]"):
        panel.select(["CC", "CC"])
    with pytest.raises(DataError, match=r"different asset names: got \[\]"):
        panel.select([])


def test_to_kind_is_exact_and_keeps_the_rest():
    panel = ReturnPanel(make_frame(), kind="simple", source="mine")
    log = panel.to_kind("log")
    np.testing.assert_array_equal(log.values, np.log1p(panel.values))
    assert (log.kind, log.source, log.assets) == ("log", "mine", panel.assets)
    # two roundings of numbers of size 0.01 relative to one
    np.testing.assert_allclose(log.to_kind("simple").values, panel.values, atol=4e-16, rtol=0)
    with pytest.raises(ConfigError, match="kind must be"):
        panel.to_kind("percent")


def test_require_history():
    panel = ReturnPanel(make_frame(), kind="log")
    panel.require_history(8, purpose="fit")
    message = r"at least 9 dates are needed to fit a GARCH model: got 8 \(2024-01-01 to 2024-01-10\)"
    with pytest.raises(DataError, match=message):
        panel.require_history(9, purpose="fit a GARCH model")
    for wrong in (0, -1, 2.0, True):
        with pytest.raises(ConfigError, match="n_dates must be a positive integer"):
            panel.require_history(wrong, purpose="fit")


def test_shows_itself():
    panel = ReturnPanel(make_frame(assets=("<A>", "B")), kind="log", provenance={"known_biases": "a & b"})
    assert "8 dates x 2 assets, log returns, daily, 2024-01-01 to 2024-01-10, source 'user'" in repr(panel)
    page = panel._repr_html_()
    assert "&lt;A&gt;" in page
    assert "a &amp; b" in page
    assert "volatility" in ReturnPanel(make_frame(1), kind="log")._repr_html_()
    hourly = ReturnPanel(make_frame(3, start="2024-01-01 09:30", freq="h"), kind="log")
    assert "2024-01-01 09:30:00 to" in repr(hourly)


def test_travels_between_processes():
    panel = ReturnPanel(make_frame(), kind="log")
    assert pickle.loads(pickle.dumps(panel)).fingerprint() == panel.fingerprint()


def test_prices_are_not_returns():
    dates = pd.bdate_range("2024-01-01", periods=30)
    prices = pd.DataFrame({"A": 0.01 * (-1.0) ** np.arange(30), "B": 100.0 + np.arange(30)}, index=dates)
    with pytest.raises(DataError, match=r"B lies between 100 and 129, all positive\. If these are prices"):
        ReturnPanel(prices, kind="log")
    assert ReturnPanel(prices.iloc[:3], kind="log").n_dates == 3  # a short history may be anything
    for usual in (0.004 + 0.001 * np.arange(30) % 0.01, 2.0 - 0.08 * np.arange(30)):  # interest; a series that falls
        assert ReturnPanel(prices.assign(B=usual), kind="log").n_dates == 30
