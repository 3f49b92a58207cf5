"""What the exit code of a command says, and which error gives which code."""

from enum import IntEnum

from tsgen.errors import CheckpointError, ConfigError, DataError, ShapeError, StorageError


class ExitCode(IntEnum):
    """Exit codes of every command; scripts may rely on them."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    DATA = 3
    SOLVER = 4
    STORAGE = 5
    INTERRUPTED = 130


EXIT_CODE_HELP = (
    "Exit codes: 0 done; 1 unexpected error; 2 wrong option, key or value; 3 unusable data; 4 no portfolio exists or "
    "the solver failed; 5 a file is missing, damaged or cannot be written; 130 interrupted."
)


def exit_code_of(error: BaseException) -> ExitCode:
    """Exit code that belongs to an error.

    Examples
    --------
    >>> exit_code_of(ConfigError("unknown key")).name, exit_code_of(RuntimeError("?")).name
    ('USAGE', 'UNEXPECTED')
    """
    from portfolio.errors import PortfolioError

    kinds: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], ExitCode], ...] = (
        (KeyboardInterrupt, ExitCode.INTERRUPTED),
        (PortfolioError, ExitCode.SOLVER),
        (ConfigError, ExitCode.USAGE),
        ((DataError, ShapeError), ExitCode.DATA),
        ((CheckpointError, StorageError, OSError), ExitCode.STORAGE),
    )
    for kind, code in kinds:
        if isinstance(error, kind):
            return code
    return ExitCode.UNEXPECTED
