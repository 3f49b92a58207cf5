"""Options that several commands have, declared once so that they mean and say the same."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from tsgen.errors import ConfigError

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Same seed, same result.")]
KindOption = Annotated[str, typer.Option(help="Return convention: 'log' or 'simple', decimals per period.")]
MissingOption = Annotated[
    str, typer.Option(help="Missing prices: 'error', 'drop_dates', 'drop_assets' or 'align'. Prices are never filled.")
]
UntilOption = Annotated[
    str | None, typer.Option(metavar="YYYY-MM-DD", help="Last date that may be seen. Default: the last one there is.")
]
DeviceOption = Annotated[str, typer.Option(help="'cpu', or 'cuda' with a GPU build of torch.")]
GeneratorFolder = Annotated[Path, typer.Argument(metavar="GENERATOR_DIR", help="Folder written by `tsgen fit`.")]


def as_date(text: str | None, *, option: str) -> date | None:
    """Date of an option.

    Raises
    ------
    ConfigError
        If it is not written in full.

    Examples
    --------
    >>> as_date("2013-12-31", option="--until")
    datetime.date(2013, 12, 31)
    """
    if text is None:
        return None
    try:
        if len(text) != 10:
            raise ValueError("wrong length")
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{option} must be a date written in full, such as 2013-12-31: got {text!r}.") from error
