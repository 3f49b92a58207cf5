"""Which program made a result: versions of the packages that influence numbers, and a digest of our own source."""

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

_SOURCE_SUFFIXES = (".py", ".j2", ".js", ".toml")
_PACKAGES = ("tsgen-toolkit", "numpy", "scipy", "pandas", "torch", "cvxpy", "clarabel", "arch", "plotly", "pyarrow")


def package_folder(name: str) -> Path:
    """Folder from which a package is imported, without importing it."""
    spec = find_spec(name)
    locations = [] if spec is None or spec.submodule_search_locations is None else spec.submodule_search_locations
    return Path(next(iter(locations), "not installed"))


@cache
def program_versions() -> dict[str, str]:
    """Versions by package, and ``source``: digest of the files of `tsgen` and `portfolio`.

    Examples
    --------
    >>> sorted(program_versions())[:3]
    ['arch', 'clarabel', 'cvxpy']
    """
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found | {"source": _source_digest()}


def _source_digest() -> str:
    digest = hashlib.sha256()
    for package in ("tsgen", "portfolio"):
        root = package_folder(package)
        for path in sorted(p for p in root.rglob("*") if p.suffix in _SOURCE_SUFFIXES):
            digest.update(f"{package}/{path.relative_to(root).as_posix()}".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def host_facts() -> dict[str, str | int]:
    """The few facts on the machine that explain durations."""
    return {"python": platform.python_version(), "platform": platform.platform(), "cores": os.cpu_count() or 1}
