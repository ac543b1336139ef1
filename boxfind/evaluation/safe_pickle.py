"""Read a pickle of plain values and NumPy arrays without running anything that the file asks for.

NumPy's own functions are not used: a crafted dtype makes them follow any number as a pointer. Stand-ins build lists.
A crafted file can still crash or stall the program, as hashing deeply nested tuples as dict keys exhausts the stack.
"""

import io
import pickle
import pickletools
import re
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import BadDataset
from retrieval.printable_names import shown

MAX_BYTES = 10_000_000
MEMO_WRITES = {"PUT", "BINPUT", "LONG_BINPUT"}
DAMAGED = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
    MemoryError, RecursionError,
)  # fmt: skip


def read_plain_pickle(path: Path) -> Any:
    """Dicts, lists, tuples, sets, texts, bytes and numbers; arrays become lists. Raises BadDataset."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadDataset(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > MAX_BYTES:
        raise BadDataset(f"{path} has more than {MAX_BYTES // 10**6} MB, too many for a table of labels.")
    try:
        _check_sizes(data)
        return _PlainUnpickler(data).load()
    except _Refused as refused:
        raise BadDataset(f"{path} {refused}, which a table of labels does not need; nothing in it was run.") from None
    except DAMAGED:
        raise BadDataset(f"{path} is damaged, or not a pickle of plain values.") from None


class _Refused(Exception):
    """Says what the file does, in half a sentence."""


def _check_sizes(data: bytes) -> None:
    """Python's unpickler allocates what the file announces before it reads it. Raises ValueError."""
    for opcode, argument, _ in pickletools.genops(data):  # compares the lengths of texts and bytes with the file
        if opcode.name in MEMO_WRITES and int(argument or 0) > len(data):
            raise ValueError


class _Dtype:
    """A NumPy dtype: its code, such as i8, and in a second step its byte order."""

    def __init__(self, code: str | bytes, *_: object) -> None:
        self.code = code if isinstance(code, str) else code.decode("ascii")
        self.order: Any = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]

    def decode(self, data: bytes) -> Any:
        """(N,) array."""
        if not re.fullmatch(r"b1|[iuf][1-8]|U\d{1,4}", self.code) or self.order not in ("<", ">", "=", "|"):
            raise _Refused(f"holds an array of {shown(self.code)}")
        return np.frombuffer(data, np.dtype(self.code).newbyteorder(self.order))


class _Array(list[Any]):
    """Empty at first, and filled in a second step."""

    def __init__(self, unpickler: "_PlainUnpickler") -> None:
        super().__init__()
        self._unpickler = unpickler

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, by_columns, data = state
        self.extend(self._unpickler.items(data, dtype, shape, "F" if by_columns else "C"))


class _PlainUnpickler(pickle.Unpickler):
    """Imports nothing. A file can name the same bytes again and again, so what it may unpack to is limited."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin-1")  # as text of Python 2 keeps all its bytes
        self._allowance = 2 * len(data)

    def find_class(self, module: str, name: str) -> Any:
        stand_ins = {  # new for each call: a file could change them
            "numpy.ndarray": None,  # only passed to _reconstruct
            "numpy.dtype": _Dtype,
            "numpy.core.multiarray._reconstruct": lambda *_: _Array(self),
            "numpy.core.multiarray.scalar": lambda dtype, data: dtype.decode(self._bytes(data))[0].item(),
            "numpy.core.numeric._frombuffer": lambda *how: self.items(*how),
            "_codecs.encode": lambda text, _: self._bytes(text),
            "__builtin__.bytes": lambda: b"",
        }
        wanted = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        if wanted not in stand_ins:
            raise _Refused(f"asks for {shown(wanted)}")
        return stand_ins[wanted]

    def items(self, data: Any, dtype: _Dtype, shape: tuple[int, ...], order: Any) -> list[Any]:
        if isinstance(data, list):  # objects
            self._spend(len(data))
            return data
        values = dtype.decode(self._bytes(data))
        return list(values.reshape(shape, order=order).tolist()) if values.size else []

    def _bytes(self, data: str | bytes | bytearray) -> bytes:
        self._spend(len(data))
        return data.encode("latin-1") if isinstance(data, str) else bytes(data)

    def _spend(self, size: int) -> None:
        self._allowance -= size
        if self._allowance < 0:
            raise _Refused("unpacks to more than its own size")
