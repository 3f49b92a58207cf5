"""What can be wrong with an installation, one function per question; each answers instead of raising."""

import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from tsgen.cli.program_versions import package_folder, program_versions

_ENOUGH_DISK_MB = 1024


class Check(NamedTuple):
    """One question and its answer."""

    name: str
    passed: bool
    detail: str


def _python() -> Check:
    return Check("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}")


def _versions() -> Check:
    found = {k: v for k, v in program_versions().items() if k not in ("python", "source")}
    absent = [name for name, v in found.items() if v == "not installed"]
    return Check("versions", not absent, ", ".join(f"{k} {v}" for k, v in found.items()))


def _packages() -> Check:
    """Both packages must come from one place; another distribution may bring a `portfolio` of its own."""
    folders = {name: package_folder(name) for name in ("tsgen", "portfolio")}
    together = folders["tsgen"].parent == folders["portfolio"].parent
    ours = (folders["portfolio"] / "mean_variance.py").is_file()
    where = ", ".join(f"{name} from {folder}" for name, folder in folders.items())
    if together and ours:
        return Check("packages", True, where)
    remedy = "another package of that name comes first on sys.path: remove it or install into a fresh environment"
    return Check("packages", False, f"{where}: {remedy}")


def _distribution() -> Check:
    try:
        return Check("distribution", True, f"tsgen-toolkit {version('tsgen-toolkit')}")
    except PackageNotFoundError:
        return Check("distribution", False, "tsgen-toolkit is not installed: run pip install -e . in the checkout")


def _torch() -> Check:
    import torch

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no CUDA device"
    total = float(torch.ones(64, 64).matmul(torch.ones(64, 64)).sum())
    return Check("torch", total == 64.0**3, f"{torch.__version__}, {torch.get_num_threads()} threads, {device}")


def _solver() -> Check:
    import cvxpy

    from portfolio.convex_solver import SOLVER

    found = SOLVER in cvxpy.installed_solvers()
    return Check("solver", found, f"{SOLVER} {'found' if found else 'is missing: pip install clarabel'}")


def _data_set(name: str) -> Check:
    from tsgen.marketdata import load_returns

    panel = load_returns(name)
    return Check(
        f"data {name}", True, f"{panel.n_dates:,} dates x {panel.n_assets} assets, to {panel.dates[-1].date()}"
    )


def _temporary_folder() -> Check:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "probe").write_bytes(b"x")
    return Check("temporary files", True, f"can write into {tempfile.gettempdir()}")


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free // 2**20
    return Check("disk", free >= _ENOUGH_DISK_MB, f"{free:,} MB free here, a run needs less than 100 MB")


def _answered(name: str, question: Callable[[], Check]) -> Check:
    try:
        return question()
    except Exception as error:
        return Check(name, False, f"{type(error).__name__}: {error}")


def _questions() -> list[tuple[str, Callable[[], Check]]]:
    from tsgen.marketdata.dataset_catalogue import dataset_names

    return [
        ("python", _python),
        ("versions", _versions),
        ("packages", _packages),
        ("distribution", _distribution),
        ("torch", _torch),
        ("solver", _solver),
        ("temporary files", _temporary_folder),
        ("disk", _disk),
        *((f"data {name}", lambda name=name: _data_set(name)) for name in dataset_names()),
    ]


def health_checks() -> list[Check]:
    """Ask everything; never raises. Takes some seconds, because it loads every data set."""
    return [_answered(name, question) for name, question in _questions()]
