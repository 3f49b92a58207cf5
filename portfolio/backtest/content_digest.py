"""What a strategy *is*, as a digest: its class, settings, arrays, trained weights and the code of its own functions.

Texts (``repr``) do not tell two generators apart that differ only in their weights; a run that resumes would then mix
results of both. Nothing is pickled: the digest is made by walking over what an object holds.
"""

import functools
import hashlib
import re
import types
from typing import Any, final

import numpy as np
import pandas as pd

_OURS = ("portfolio", "tsgen")
_BY_TEXT = (str, bytes, int, float, complex, bool, type(None), np.generic, pd.Timestamp, pd.Timedelta)


def content_digest(thing: Any) -> str:
    """Hexadecimal SHA-256 of what an object holds; equal in every process for equal content.

    Parameters
    ----------
    thing : object
        Numbers, texts, arrays, tables, containers, functions, partials, and objects with attributes; torch modules by
        their parameters.

    Returns
    -------
    str

    Notes
    -----
    Of functions, their own bytecode, defaults and closure count, not that of what they call. Private attributes of
    this toolkit's objects are caches and are left out. What cannot be looked into counts by its ``repr`` without
    addresses in memory.

    Examples
    --------
    >>> content_digest({"a": np.zeros(3), "b": 1}) == content_digest({"b": 1, "a": np.zeros(3)})
    True
    >>> content_digest(np.zeros(10_000)) == content_digest(np.eye(100).ravel())
    False
    """
    return _Walk().of(thing).hex()


def stable_text(thing: Any) -> str:
    """The ``repr`` without addresses in memory: these differ between runs and identify nothing.

    Examples
    --------
    >>> stable_text(content_digest)
    '<function content_digest>'
    """
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(thing))


@final
class _Walk:
    """One digest: remembers where it is, so that cycles end."""

    def __init__(self) -> None:
        self.open: list[int] = []

    def of(self, thing: Any) -> bytes:
        if id(thing) in self.open:
            return f"cycle {len(self.open) - self.open.index(id(thing))}".encode()
        self.open.append(id(thing))
        try:
            parts = self._parts(thing)
        finally:
            self.open.pop()
        digest = hashlib.sha256()
        for part in parts:
            # lengths first: two lists of parts must not run together to the same bytes
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.digest()

    def _parts(self, thing: Any) -> list[bytes]:
        name = _class_name(thing)
        if isinstance(thing, _BY_TEXT):
            return [name, repr(thing).encode()]
        if isinstance(thing, np.ndarray):
            return [name, *self._array(thing)]
        if isinstance(thing, (pd.DataFrame, pd.Series)):
            labels = [self.of(thing.index), self.of(thing.columns) if isinstance(thing, pd.DataFrame) else b""]
            return [name, *labels, self.of(thing.to_numpy())]
        if isinstance(thing, pd.Index):
            return [name, self.of(thing.to_numpy())]
        if isinstance(thing, (dict, list, tuple, set, frozenset)):
            return [name, *self._container(thing)]
        if isinstance(thing, (types.FunctionType, types.MethodType, types.CodeType, functools.partial)):
            return [name, *self._code(thing)]
        if isinstance(thing, (type, types.ModuleType, types.BuiltinFunctionType)):
            return [name, f"{getattr(thing, '__module__', '')}.{thing.__name__}".encode()]
        return [name, *self._object(thing)]

    def _array(self, array: np.ndarray) -> list[bytes]:
        head = [str(array.dtype).encode(), str(array.shape).encode()]
        if array.dtype == object:
            return [*head, *(self.of(value) for value in array.ravel())]
        return [*head, np.ascontiguousarray(array).tobytes()]

    def _container(self, container: Any) -> list[bytes]:
        if isinstance(container, dict):
            return sorted(self.of(key) + self.of(value) for key, value in container.items())
        parts = [self.of(value) for value in container]
        return sorted(parts) if isinstance(container, (set, frozenset)) else parts

    def _code(self, thing: Any) -> list[bytes]:
        if isinstance(thing, types.CodeType):
            return [thing.co_code, str(thing.co_names).encode(), *(self.of(value) for value in thing.co_consts)]
        if isinstance(thing, types.MethodType):
            return [self.of(thing.__self__), self.of(thing.__func__)]
        if isinstance(thing, functools.partial):
            return [self.of(thing.func), self.of(thing.args), self.of(thing.keywords)]
        cells = [_cell(cell) for cell in thing.__closure__ or ()]
        held = [thing.__defaults__, thing.__kwdefaults__, cells]
        return [thing.__qualname__.encode(), self.of(thing.__code__), *(self.of(value) for value in held)]

    def _object(self, thing: Any) -> list[bytes]:
        if callable(getattr(thing, "state_dict", None)):  # a torch module: its parameters and buffers
            return [stable_text(thing).encode(), self.of(dict(thing.state_dict()))]
        if callable(getattr(thing, "detach", None)):  # a tensor
            return [self.of(thing.detach().cpu().numpy())]
        held = dict(vars(thing)) if hasattr(thing, "__dict__") else {}
        held |= {name: getattr(thing, name) for name in getattr(type(thing), "__slots__", ()) if hasattr(thing, name)}
        if type(thing).__module__.split(".")[0] in _OURS:
            held = {name: value for name, value in held.items() if not name.startswith("_")}
        return [self.of(held)] if held else [stable_text(thing).encode()]


def _class_name(thing: Any) -> bytes:
    return f"{type(thing).__module__}.{type(thing).__qualname__}".encode()


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a cell that is still empty
        return None
