"""What `tsgen evaluate` works on: the stored model, the returns before and inside the evaluation, the training part."""

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tsgen.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from tsgen.marketdata import ReturnPanel

_MODELS = (
    "expected a folder written by `tsgen fit` (generator.json) or by a baseline's save (baseline.json), or a "
    ".parquet file written by `tsgen sample`"
)


class EvaluationData(NamedTuple):
    """Returns to evaluate on, and what came before them if that was said."""

    data: "ReturnPanel"
    history: "ReturnPanel | None"


def load_model(path: Path) -> Any:
    """Read a generator, a baseline or a fixed set of scenarios, told apart by their files.

    Raises
    ------
    CheckpointError
        If the path is none of them, or damaged.
    StorageError, DataError
        If a file of scenarios cannot be read.

    Examples
    --------
    >>> load_model(Path("no such folder"))
    Traceback (most recent call last):
    ...
    tsgen.errors.CheckpointError: there is nothing at no such folder: expected a folder written by `tsgen fit` ...
    """
    if not path.exists():
        raise CheckpointError(f"there is nothing at {path}: {_MODELS}. Check the path.")
    if path.is_file():
        if path.suffix != ".parquet":
            raise CheckpointError(f"{path} is no model: {_MODELS}.")
        from tsgen.scenario_set import ScenarioSet

        return ScenarioSet.load(path)
    if (path / "generator.json").is_file():
        from tsgen.generator import load_generator

        return load_generator(path)
    if (path / "baseline.json").is_file():
        from tsgen.baselines import load_baseline

        return load_baseline(path)
    raise CheckpointError(f"{path} holds no model: {_MODELS}.")


def load_data(
    model: Any, source: str, *, history: str | None, start: date | None, until: date | None, missing: str
) -> EvaluationData:
    """Load the returns in the assets and the convention of a model, and cut them.

    Parameters
    ----------
    model : generator, baseline or ScenarioSet
    source, history : str
        Catalogue names or files; ``history`` and ``start`` exclude each other.
    start, until : date, optional
        First and last date that is evaluated.
    missing : str

    Raises
    ------
    ConfigError
        If options contradict each other.
    DataError, StorageError
        If data cannot be read, lack an asset, or nothing is left of them.
    """
    if history is not None and start is not None:
        raise ConfigError("--history and --from both say where the evaluation starts: give one of them.")
    if start is not None and until is not None and until < start:
        raise ConfigError(f"--until {until} lies before --from {start}: nothing is left to evaluate.")
    data = _panel(model, source, missing)
    if until is not None:
        data = data.until(until.isoformat())
    if history is not None:
        return EvaluationData(data, _panel(model, history, missing))
    if start is None:
        return EvaluationData(data, None)
    parts = data.split((start - timedelta(days=1)).isoformat())
    return EvaluationData(parts.test, parts.train)


def training_part(model: Any, given: EvaluationData, *, warm_up: float) -> "ReturnPanel":
    """What baselines may be fitted to: everything up to the training cut-off of the model.

    Where the model has no cut-off, or one before the data, everything up to the start of the evaluation.

    Raises
    ------
    LookAheadError
        If the model was trained on the evaluation period.
    ConfigError
        If the model is a fixed set of scenarios without an as-of date inside the data.
    """
    from tsgen.evaluation.evaluation_period import evaluation_period, training_cutoff_of
    from tsgen.scenario_set import ScenarioSet

    if isinstance(model, ScenarioSet):
        panel = given.data if given.history is None else given.history
        if model.asof is None or not panel.dates[0] < model.asof:
            raise ConfigError(
                "--baselines need returns up to the as-of date of the scenarios to be fitted on: "
                f"it is {model.asof}, the data start on {panel.dates[0].date()}. Give longer data."
            )
        return panel.until(model.asof)
    period = evaluation_period(given.data, {"the model": model}, history=given.history, warm_up=warm_up)
    cutoff = training_cutoff_of(model)
    early = cutoff is not None and period.panel.dates[0] <= cutoff
    return period.panel.until(cutoff) if early else period.training


def _panel(model: Any, source: str, missing: str) -> "ReturnPanel":
    from tsgen.marketdata import load_returns
    from tsgen.marketdata.missing_values import check_missing_policy

    return load_returns(source, kind=model.kind, missing=check_missing_policy(missing), assets=model.assets)
