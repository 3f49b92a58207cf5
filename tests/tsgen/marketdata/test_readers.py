"""`load_returns` from tables and files: round trips, every kind of bad input, every missing-value policy."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsgen.complete_files import sha256_of
from tsgen.errors import ConfigError, DataError, ShapeError, StorageError
from tsgen.marketdata import load_returns
from tsgen.marketdata.price_table import returns_from_prices

NAN = math.nan


def make_prices(n=6, assets=("A", "B"), seed=0):
    steps = np.random.default_rng(seed).normal(0.0, 0.02, (n, len(assets)))
    index = pd.bdate_range("2024-01-01", periods=n, name="date")
    return pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index=index, columns=list(assets))


def with_cells(frame, *cells):
    frame = frame.copy()
    for row, column, value in cells:
        frame.iloc[row, column] = value
    return frame


# ---------------------------------------------------------------- numbers


def test_by_hand():
    table = pd.DataFrame(
        {"A": [100.0, 110.0, 55.0]}, index=pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-03"])
    )
    # 10/100 and -55/110 are exact to one rounding
    np.testing.assert_allclose(load_returns(table, kind="simple").values[:, 0], [0.1, -0.5], rtol=1e-15)
    np.testing.assert_allclose(load_returns(table).values[:, 0], [math.log(1.1), math.log(0.5)], rtol=1e-14)
    assert list(load_returns(table).dates) == list(table.index[1:])


def test_agrees_with_pandas():
    prices = make_prices(200)
    expected = prices.pct_change().dropna()
    # pandas computes P_t / P_{t-1} - 1: one rounding of a number near one, 2e-16
    np.testing.assert_allclose(load_returns(prices, kind="simple").values, expected, atol=4e-16, rtol=0)


@given(
    st.lists(st.floats(1e-4, 1e6), min_size=3, max_size=30).filter(lambda p: len(set(p)) == len(p)),
    st.sampled_from(["log", "simple"]),
)
def test_prices_to_returns_to_prices(levels, kind):
    frame = pd.DataFrame({"A": levels}, index=pd.bdate_range("2024-01-01", periods=len(levels)))
    returns = returns_from_prices(frame, kind=kind)["A"].to_numpy()
    growth = np.exp(returns.cumsum()) if kind == "log" else np.cumprod(1 + returns)
    # one step rounds a return r to eps * max(1, |r|); 1 + r magnifies that by 1e10 at most (a fall from 1e6 to 1e-4)
    tolerance = len(levels) * 2.3e-16 * (30 if kind == "log" else 1e10)
    np.testing.assert_allclose(levels[0] * growth, levels[1:], rtol=tolerance)


# ---------------------------------------------------------------- forms of input


def test_csv_parquet_and_tables_give_the_same_panel(tmp_path):
    prices = make_prices()
    csv, parquet, indexed = tmp_path / "p.csv", tmp_path / "p.parquet", tmp_path / "i.PARQUET"
    prices.to_csv(csv)
    prices.reset_index().to_parquet(parquet)
    prices.to_parquet(indexed)
    expected = load_returns(prices)
    text_index = prices.set_axis(prices.index.strftime("%Y-%m-%d"), axis=0)
    dates_last = prices.reset_index()[["A", "B", "date"]].rename(columns={"date": " Date"})
    first_column = prices.reset_index().rename(columns={"date": "day"})
    python_dates = prices.reset_index().assign(date=[d.date() for d in prices.index])
    rows_left = prices.reset_index().set_axis(range(10, 16), axis=0)
    nullable = prices.convert_dtypes()
    tables = [csv, str(parquet), indexed, text_index, dates_last, first_column, python_dates, rows_left, nullable]
    for source in tables:
        assert load_returns(source).fingerprint() == expected.fingerprint(), source


def test_a_file_leaves_its_digest_and_span_in_the_provenance(tmp_path):
    path = tmp_path / "p.csv"
    make_prices().to_csv(path)
    panel = load_returns(path)
    assert panel.source == "p.csv"
    assert panel.provenance["sha256"] == sha256_of(path)
    assert panel.provenance["prices"] == {"rows": 6, "first_date": "2024-01-01", "last_date": "2024-01-08"}


def test_byte_order_mark_blank_lines_and_unnamed_first_column(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("\ufeff,A\n2024-01-01,1\n\n2024-01-02,2\n2024-01-03,3\n", encoding="utf-8")
    panel = load_returns(path, kind="simple")
    assert panel.assets == ("A",)
    assert panel.values[:, 0].tolist() == [1.0, 0.5]


def test_two_prices_of_one_asset_are_enough():
    assert load_returns(make_prices(2, assets=("A",))).values.shape == (1, 1)


def test_later_prices_never_move_earlier_returns():
    prices = make_prices(10)
    other = prices.copy()
    other.iloc[6:] *= 1.7
    date = prices.index[5]
    early = load_returns(prices).until(date)
    assert early.fingerprint() == load_returns(other).until(date).fingerprint()
    assert (
        load_returns(prices).until(prices.index[6]).fingerprint()
        != load_returns(other).until(prices.index[6]).fingerprint()
    )


# ---------------------------------------------------------------- bad tables


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (make_prices(0), ShapeError, "table is empty"),
        (make_prices(1), ShapeError, "a return needs two prices: got 1 row"),
        (make_prices()[[]], ShapeError, "at least one asset column"),
        (pd.DataFrame(index=range(3)), ShapeError, "has no columns"),
        (make_prices().reset_index()[["date"]], ShapeError, "at least one asset column"),
        (make_prices().set_axis(["A", "A"], axis=1), DataError, "unique: A occur more than once in table"),
        (pd.concat({"Close": make_prices()}, axis=1), ShapeError, "one level of column names"),
        (make_prices().iloc[[0, 1, 1, 2]], DataError, "unique dates: 2024-01-02"),
        (make_prices().iloc[[0, 2, 1]], DataError, "sorted by date: 2024-01-02 comes after 2024-01-03"),
        (make_prices().tz_localize("UTC"), DataError, "without time zone"),
        (with_cells(make_prices(), (2, 1, np.inf)), DataError, "must be finite: B on 2024-01-03 is inf; 1 such"),
        (with_cells(make_prices(), (2, 1, 0.0)), DataError, "must be positive: B on 2024-01-03 is 0; 1 such"),
        (with_cells(make_prices(), (3, 0, -2.5)), DataError, "must be positive: A on 2024-01-04 is -2.5"),
        (with_cells(make_prices(), (2, 1, NAN)), DataError, "missing: the first hole is B on 2024-01-03; 1 in all"),
        (make_prices().assign(B=["1", "2", "n.a.", "4", "5", "6"]), DataError, "B in table.*2024-01-03 .'n.a.'"),
        (make_prices().assign(B=["1", "2", "3", "4", "5", "6"]), DataError, "B in table.*2024-01-01 .'1'"),
        (make_prices().assign(B=True), DataError, "prices must be numbers: B in table has type bool"),
        (make_prices().assign(B=5.0), DataError, "asset B is constant"),
        (make_prices().reset_index(drop=True), DataError, "must have dates such as 2013-12-31: got float64"),
        (make_prices().reset_index().assign(date=20240101), DataError, "got int64 .first entry 20240101"),
        (make_prices().to_period("M"), DataError, "must have dates.*to_timestamp"),
        (make_prices().reset_index().assign(date="03/01/2024"), DataError, "YYYY-MM-DD: row 0.*'03/01/2024', 6 such"),
        (make_prices().reset_index().assign(date="2024-13-01"), DataError, "YYYY-MM-DD: row 0.*'2024-13-01'"),
        (make_prices().reset_index().assign(date="2024-01"), DataError, "YYYY-MM-DD: row 0.*'2024-01'"),
        (make_prices().reset_index().assign(Date="2024-01-01"), DataError, "2 columns called date"),
    ],
)
def test_bad_tables_are_refused_with_a_message_that_teaches(table, error, message):
    with pytest.raises(error, match=message):
        load_returns(table)


def test_a_date_missing_in_one_row_is_named():
    table = make_prices().reset_index()
    table["date"] = table["date"].dt.strftime("%Y-%m-%d").where(table.index != 4)
    with pytest.raises(DataError, match=r"row 4 .counted from 0. has nan, 1 such rows"):
        load_returns(table)


def test_mixed_time_zones_are_refused():
    table = make_prices(2).reset_index().assign(date=["2024-01-01T00:00:00+00:00", "2024-01-02T00:00:00+01:00"])
    with pytest.raises(DataError, match="time zone"):
        load_returns(table)


@pytest.mark.parametrize("source", [3, None, make_prices()["A"], make_prices().to_numpy(), dt.date(2024, 1, 1)])
def test_other_types_are_refused(source):
    with pytest.raises(ConfigError, match="catalogue name, a path or a DataFrame of prices: got"):
        load_returns(source)


def test_unknown_options():
    with pytest.raises(ConfigError, match="kind must be 'simple' or 'log': got 'percent'"):
        load_returns(make_prices(), kind="percent")
    with pytest.raises(ConfigError, match="missing must be one of error, drop_dates, drop_assets, align: got 'fill'"):
        load_returns(make_prices(), missing="fill")


# ---------------------------------------------------------------- bad files


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ShapeError, "p.csv is empty"),
        ("date,A\n", ShapeError, "p.csv is empty"),
        ("date,A,A\n2024-01-01,1,2\n", DataError, "columns of the same name: A"),
        ("date,A\n2024-01-01,1,7\n2024-01-02,2,8\n", DataError, "more fields than its header .2."),
        ("date,A\n2024-01-01,1\n2024-01-02,2,8\n", StorageError, "not a readable csv file .ParserError.*line 3"),
        ("date;A\n2024-01-01;1\n2024-01-02;2\n", ShapeError, "at least one asset column.*separator"),
        ("date,A,B\n2024-01-01,1,2\n2024-01-02,2\n", DataError, "first hole is B on 2024-01-02"),
        ("date,A\n2024-01-01,1\n2024-01-02,\n", DataError, "first hole is A on 2024-01-02"),
        ("date,A\n2024-01-01,1\n2024-01-02,inf\n", DataError, "must be finite: A on 2024-01-02"),
        ('date,A\n2024-01-01,1\n2024-01-02,"1,234"\n', DataError, "must be numbers: A in p.csv.*'1,234'"),
        ("date,A\n20240101,1\n20240102,2\n", DataError, "p.csv must have dates such as"),
        ("date,ticker,price\n2024-01-01,X,1\n2024-01-02,Y,2\n", DataError, "ticker in p.csv.*pivot a long table"),
    ],
)
def test_bad_csv_files(tmp_path, text, error, message):
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(error, match=message):
        load_returns(path)


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_damaged_files(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\xff\xfe\x00garbage\x81\n" * 20)
    with pytest.raises(StorageError, match=f"{name} is not a readable"):
        load_returns(path)


def test_truncated_parquet(tmp_path):
    path = tmp_path / "p.parquet"
    make_prices().to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StorageError, match=r"p.parquet is not a readable parquet file"):
        load_returns(path)


def test_missing_files_wrong_suffixes_and_unknown_names(tmp_path):
    with pytest.raises(StorageError, match=r"there is no file .*nowhere.csv"):
        load_returns(tmp_path / "nowhere.csv")
    with pytest.raises(StorageError, match=r"there is no file nowhere\.csv"):
        load_returns("nowhere.csv")
    (tmp_path / "p.xlsx").write_text("")
    with pytest.raises(ConfigError, match=r"read from .csv or .parquet files: got 'p.xlsx'"):
        load_returns(tmp_path / "p.xlsx")
    with pytest.raises(ConfigError, match=r"unknown data set 'US_stoks': known are us_stocks, .*mean 'us_stocks'"):
        load_returns("US_stoks")
    with pytest.raises(ConfigError, match=r"unknown data set 'zzz'.*\.parquet\.$"):
        load_returns("zzz")


# ---------------------------------------------------------------- missing values


@pytest.fixture
def holey():
    """Six dates: A is whole, B starts one date late, C has a hole on the fourth date."""
    prices = make_prices(assets=("A", "B", "C"))
    return with_cells(prices, (0, 1, NAN), (3, 2, NAN))


def test_error_names_the_first_hole_and_counts(holey):
    with pytest.raises(DataError, match=r"first hole is B on 2024-01-01; 2 in all \(B: 1, C: 1\)"):
        load_returns(holey)


def test_drop_dates(holey):
    panel = load_returns(holey, missing="drop_dates")
    assert list(panel.dates) == list(holey.index[[2, 4, 5]])
    # the return after the hole spans two periods
    assert panel.values[1, 0] == np.log(holey.iloc[4, 0] / holey.iloc[2, 0])
    assert panel.provenance["missing"] == {
        "policy": "drop_dates",
        "n_missing": 2,
        "dropped_assets": [],
        "n_dropped_dates": 2,
        "dropped_dates": ["2024-01-01", "2024-01-04"],
    }


def test_drop_assets(holey):
    panel = load_returns(holey, missing="drop_assets")
    assert panel.assets == ("A",)
    assert panel.provenance["missing"]["dropped_assets"] == ["B", "C"]
    assert panel.provenance["missing"]["n_dropped_dates"] == 0


def test_align(holey):
    with pytest.raises(DataError, match=r"first hole is C on 2024-01-04; 1 in all.*Inside the common span"):
        load_returns(holey, missing="align")
    panel = load_returns(with_cells(holey[["A", "B"]], (5, 0, NAN)), missing="align")
    assert list(panel.dates) == list(holey.index[2:5])
    assert panel.provenance["missing"]["dropped_dates"] == ["2024-01-01", "2024-01-08"]


def test_a_table_without_holes_is_untouched_by_every_policy():
    prices = make_prices()
    panels = [load_returns(prices, missing=m) for m in ("error", "drop_dates", "drop_assets", "align")]
    assert len({p.fingerprint() for p in panels}) == 1
    assert all(p.provenance["missing"]["n_missing"] == 0 for p in panels)


def test_nothing_left():
    crossing = with_cells(make_prices(4), (0, 0, NAN), (1, 0, NAN), (2, 1, NAN), (3, 1, NAN))
    with pytest.raises(DataError, match="no common span: A starts on 2024-01-03, B already ends on 2024-01-02"):
        load_returns(crossing, missing="align")
    with pytest.raises(DataError, match="missing='drop_dates' leaves no date: every one of 4"):
        load_returns(crossing, missing="drop_dates")
    with pytest.raises(DataError, match="missing='drop_assets' leaves no asset: every one of 2"):
        load_returns(crossing, missing="drop_assets")
    with pytest.raises(DataError, match="at least one price per asset: B has none"):
        load_returns(make_prices().assign(B=NAN), missing="align")
    with pytest.raises(ShapeError, match="a return needs two prices: got 1 row"):
        load_returns(with_cells(make_prices(3), (0, 0, NAN), (2, 1, NAN)), missing="drop_dates")


def test_holes_of_other_assets_and_later_dates_decide_nothing():
    prices = make_prices()
    spoilt = with_cells(prices, (len(prices) - 1, 0, NAN))
    spoilt["X"] = -1.0  # no price at all
    spoilt["Y"] = np.where(np.arange(len(prices)) == 2, NAN, 1.0)
    first, last = prices.columns[0], prices.columns[-1]
    until = prices.index[-2]
    for missing in ("error", "drop_dates", "drop_assets", "align"):
        panel = load_returns(spoilt, missing=missing, assets=[last, first], until=until)
        expected = load_returns(prices).select([last, first]).until(until)
        pd.testing.assert_frame_equal(panel.returns, expected.returns)
        assert panel.provenance["missing"]["n_missing"] == 0
    with pytest.raises(DataError, match="unknown asset 'Q'"):
        load_returns(prices, assets=["Q"])
    with pytest.raises(DataError, match="no returns up to 1990-01-01: the prices start on"):
        load_returns(prices, until="1990-01-01")
    catalogue = load_returns("factor_etfs")
    two = catalogue.assets[:2]
    assert load_returns("factor_etfs", assets=two, until="2018-12-31").assets == two
