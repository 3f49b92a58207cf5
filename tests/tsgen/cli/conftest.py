"""A small run, done once, that many tests look at; they change copies only."""

import json
import shutil
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from tsgen.cli.application import app

SMALL = """
[data]
source = "sample"
train_until = 2018-12-31
[generator]
preset = "fast"
[scenarios]
n = 60
horizon = 5
seed = 3
[portfolio]
max_weight = 0.6
cost_bps = 5.0
"""


def invoke(*arguments):
    """Exit code, stdout and stderr of one command."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    return SimpleNamespace(code=result.exit_code, out=result.stdout, err=result.stderr, error=result.exception)


def files_of(folder):
    """Bytes of every result, without the ledger and the run section of the manifest."""
    found = {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".stages" not in p.parts and p.name != ".lock"
    }
    manifest = json.loads(found.pop("manifest.json"))
    manifest.pop("run")
    return found | {"manifest without run": json.dumps(manifest, sort_keys=True).encode()}


@pytest.fixture
def tsgen():
    return invoke


@pytest.fixture
def results():
    return files_of


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.toml").write_text(SMALL, encoding="utf-8")
    done = invoke("run", folder / "small.toml", "--output", folder / "run", "--json", "--debug")
    return SimpleNamespace(folder=folder / "run", config=folder / "small.toml", done=done)


@pytest.fixture
def finished(finished_once, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished_once.folder, copy)
    return SimpleNamespace(
        folder=copy, config=finished_once.config, done=finished_once.done, original=finished_once.folder
    )
