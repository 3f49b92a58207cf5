"""The built wheel: both packages, the data manifest and the sample, the report template; nothing else at the top."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_what_an_outsider_needs(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {n.split("/")[0] for n in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"tsgen", "portfolio"}
    for needed in (
        "tsgen/py.typed",
        "portfolio/py.typed",
        "tsgen/marketdata/catalogue/manifest.toml",
        "tsgen/marketdata/catalogue/sample/synthetic_prices.csv",
        "tsgen/cli/default.toml",
        "tsgen/report/report.html.j2",
        "tsgen/report/page.html.j2",
        "tsgen/report/tables.html.j2",
        "tsgen/report/scorecard.html.j2",
    ):
        assert needed in names, needed


@pytest.mark.slow
def test_the_wheel_works_away_from_the_checkout(wheel, tmp_path):
    target = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r}); import tsgen, portfolio; "
        f"assert tsgen.__file__.startswith({str(target)!r}) and portfolio.__file__.startswith({str(target)!r}); "
        "print(tsgen.load_returns('sample').n_assets, len(tsgen.list_datasets()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "5"
