"""Baselines as a command names them: words in, fitted models out."""

import warnings
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from tsgen.errors import ConfigError, DataError
from tsgen.progress import Progress, ProgressEvent

if TYPE_CHECKING:
    from tsgen.marketdata import ReturnPanel

# name on the command line: class in tsgen.baselines, options of its fit
BASELINES: dict[str, tuple[str, dict[str, Any]]] = {
    "iid-gaussian": ("IidGaussian", {}),
    "student-t-copula": ("StudentTCopula", {}),
    "stationary-bootstrap": ("StationaryBootstrap", {}),
    "block-bootstrap": ("BlockBootstrap", {}),
    "fhs-ewma": ("FilteredHistoricalSimulation", {"filter": "ewma"}),
    "fhs-garch": ("FilteredHistoricalSimulation", {"filter": "garch"}),
    "fhs-gjr": ("FilteredHistoricalSimulation", {"filter": "gjr"}),
    "garch-ccc": ("GarchCcc", {}),
    "garch-dcc": ("GarchCcc", {"correlation": "dynamic"}),
    "var": ("VectorAutoregression", {}),
    "arma": ("Arma", {}),
    "gaussian-process": ("GaussianProcess", {}),
    "regurgitation": ("Regurgitation", {}),
}
ALL = "all"


class FittedBaselines(NamedTuple):
    """Models by name, and for those that could not be fitted the reason."""

    models: dict[str, Any]
    refused: dict[str, str]


def baseline_names(text: str | None) -> tuple[str, ...]:
    """Names from a comma-separated option, ``all`` for every one.

    Raises
    ------
    ConfigError
        If a name is unknown or occurs twice.

    Examples
    --------
    >>> baseline_names("fhs-garch, garch-ccc")
    ('fhs-garch', 'garch-ccc')
    """
    names = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    if names == (ALL,):
        return tuple(BASELINES)
    for name in names:
        if name not in BASELINES:
            near = get_close_matches(name, BASELINES, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(f"--baselines: unknown baseline {name!r}.{hint} Known are all, {', '.join(BASELINES)}.")
    if len(set(names)) < len(names):
        raise ConfigError(f"--baselines: a name occurs twice: got {', '.join(names)}. Name each once.")
    return names


def fit_baselines(
    names: tuple[str, ...], training: "ReturnPanel", *, progress: Progress, strict: bool
) -> FittedBaselines:
    """Fit baselines to one training panel.

    Parameters
    ----------
    names : tuple of str
        Keys of `BASELINES`.
    training : ReturnPanel
    progress : callable
    strict : bool
        Whether a baseline that cannot be fitted is an error; if not, it is a warning and left out with its reason.

    Raises
    ------
    DataError
        If ``strict`` and a baseline cannot be fitted.
    """
    from tsgen import baselines

    models: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for done, name in enumerate(names):
        progress(ProgressEvent("fit baselines", done, len(names), name))
        attribute, options = BASELINES[name]
        fit: Callable[..., Any] = getattr(baselines, attribute).fit
        try:
            models[name] = fit(training, **options)
        except DataError as error:
            if strict:
                raise
            refused[name] = str(error)
            warnings.warn(f"the baseline {name} is left out: {error}", stacklevel=2)
    if names:
        progress(ProgressEvent("fit baselines", len(names), len(names)))
    return FittedBaselines(models, refused)
