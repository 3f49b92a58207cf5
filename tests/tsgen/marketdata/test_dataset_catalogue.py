"""The manifest tells the truth about what the loaders give; the sample is made by its script."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsgen.errors import StorageError
from tsgen.marketdata import dataset_catalogue, list_datasets, load_returns
from tsgen.marketdata.dataset_catalogue import dataset_names, load_table, read_manifest

CHECKOUT = Path(__file__).resolve().parents[3]


def load_script():
    spec = importlib.util.spec_from_file_location("make_sample", CHECKOUT / "data/prepare/make_sample.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_entry_has_a_loader_and_every_loader_an_entry():
    assert tuple(read_manifest()) == dataset_names()


@pytest.mark.parametrize("name", dataset_names())
def test_manifest_agrees_with_the_loader(name):
    entry, table = read_manifest()[name], load_table(name)
    panel = load_returns(name)
    raw = pd.DatetimeIndex(table.get("date", table.index))
    assert (len(table), raw[0].date(), raw[-1].date()) == (entry.rows, entry.first_date, entry.last_date)
    assert panel.n_dates == entry.rows - (entry.content == "prices")
    assert (panel.n_assets, panel.frequency, panel.kind, panel.source) == (entry.assets, entry.frequency, "log", name)
    assert panel.dates[-1].date() == entry.last_date
    assert panel.provenance["known_biases"] == entry.known_biases
    assert panel.provenance["catalogue"] == name


def test_the_stock_set_admits_its_survivorship_bias():
    assert "Survivorship" in read_manifest()["us_stocks"].known_biases


def test_overview():
    table = list_datasets()
    assert table["name"].tolist() == list(dataset_names())
    assert {"description", "rows", "assets", "first_date", "last_date", "frequency", "known_biases"} < set(table)
    assert table["source_package"].tolist() == ["skfolio"] * 3 + ["linearmodels", "tsgen-toolkit"]
    assert table.notna().all(axis=None)


def test_fama_french_is_in_decimals_and_known_at_the_end_of_the_month():
    panel = load_returns("fama_french", kind="simple")
    # October 1987: the market fell by 23.24 % more than the riskless asset (Ken French's library)
    assert panel.until("1987-10-31").after("1987-09-30").select("MktRF").values.tolist() == [[-0.2324]]
    assert panel.dates.is_month_end.all()
    np.testing.assert_array_equal(load_returns("fama_french").values, np.log1p(panel.values))


def test_stocks_against_the_index():
    """In 2008-10 both fell: the loaders line up on dates (a shift by one day would lose the correlation)."""
    stocks, index = load_returns("us_stocks"), load_returns("us_index")
    assert stocks.dates.equals(index.dates)
    average = stocks.values.mean(axis=1)
    same_day = np.corrcoef(average, index.values[:, 0])[0, 1]
    shifted = np.corrcoef(average[1:], index.values[:-1, 0])[0, 1]
    assert same_day > 0.85
    assert abs(shifted) < 0.15


def test_the_sample_is_what_its_script_makes_byte_for_byte():
    path = CHECKOUT / "data/sample/synthetic_prices.csv"
    assert path.read_bytes() == load_script().sample_text().encode()
    assert path.stat().st_size < 200_000


def test_another_seed_makes_another_sample(monkeypatch):
    script = load_script()
    monkeypatch.setattr(script, "SEED", script.SEED + 1)
    assert (CHECKOUT / "data/sample/synthetic_prices.csv").read_bytes() != script.sample_text().encode()


def test_the_script_writes_where_it_is_told(tmp_path, monkeypatch, capsys):
    target = tmp_path / "s.csv"
    monkeypatch.setattr(sys, "argv", ["make_sample.py", str(target)])
    load_script().main()
    assert target.read_bytes() == (CHECKOUT / "data/sample/synthetic_prices.csv").read_bytes()
    assert "s.csv" in capsys.readouterr().out


def test_the_sample_follows_its_law():
    """Stationary standard deviations known in closed form: beta^2 * 1e-4 + idiosyncratic^2."""
    script, panel = load_script(), load_returns("sample")
    truth = np.sqrt(np.array(list(script.BETA.values())) ** 2 * 1e-4 + script.IDIOSYNCRATIC**2)
    # kurtosis of about 7 gives var(s^2)/s^4 of about 6/n; GARCH clustering (persistence 0.98) multiplies the
    # factor's part by up to 10, so the relative error of s is at most 0.5 * sqrt(60 / 1499) = 0.10; three of them
    np.testing.assert_allclose(panel.values.std(axis=0), truth, rtol=0.30)


def test_the_packaged_copy_comes_before_the_checkout(tmp_path, monkeypatch):
    packaged = tmp_path / "catalogue"
    packaged.mkdir()
    manifest = (CHECKOUT / "data/manifest.toml").read_text(encoding="utf-8")
    (packaged / "manifest.toml").write_text(manifest.replace("rows = 1500", "rows = 1"), encoding="utf-8")
    monkeypatch.setattr(dataset_catalogue, "files", lambda package: tmp_path)
    assert read_manifest()["sample"].rows == 1


def test_an_incomplete_installation_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset_catalogue, "files", lambda package: tmp_path)
    monkeypatch.setattr(dataset_catalogue, "__file__", str(tmp_path / "a/b/c.py"))
    with pytest.raises(StorageError, match=r"manifest.toml of the data catalogue was not found.*Install tsgen-toolkit"):
        list_datasets()


@pytest.mark.slow
def test_market_data_never_imports_torch():
    load_all = "[tsgen.load_returns(n) for n in tsgen.list_datasets()['name']]"
    code = f"import sys, tsgen; {load_all}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
