"""Errors that teach: what was wrong, what was expected, what was got, what to do.

Every error of the toolkit derives from `TsgenError` and from the built-in it resembles, so
``except ValueError`` keeps working in code that does not know us. Bottom layer: imports nothing.
"""


class TsgenError(Exception):
    """Root of all errors raised by `tsgen` and `portfolio`."""


class ShapeError(TsgenError, ValueError):
    """An array has the wrong number of axes or the wrong length along one of them."""


class DataError(TsgenError, ValueError):
    """Values that cannot be used: missing, infinite, duplicated, unsorted, constant, too few."""


class ConfigError(TsgenError, ValueError):
    """A setting is outside its range, contradicts another one or is not known."""


class LookAheadError(DataError):
    """A component was about to see data later than the date of its decision."""


class CheckpointError(TsgenError, ValueError):
    """A stored generator is damaged, incomplete, or written by an incompatible version."""


class StorageError(TsgenError, OSError):
    """A file could not be written or read; what was there before is untouched."""


class TrainingError(TsgenError, RuntimeError):
    """Training ended in a state that must not be used (for example a non-finite loss)."""
