"""Errors and warnings of steering; bottom of `tsgen.steering`."""

from tsgen.errors import ConfigError


class SteeringError(ConfigError):
    """A level that no steering can reach, or cannot begin to reach."""


class SteeringWarning(UserWarning):
    """A steered law exists, but what is said about it deserves doubt."""
