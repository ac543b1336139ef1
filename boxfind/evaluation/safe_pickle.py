"""Numbers, texts, lists and arrays read out of a pickle file without running anything that it says.

A pickle is a little program, and Python's own reader runs it: whoever wrote the file decides what happens. This
reader takes the few steps that build plain values and refuses all others. NumPy's functions are known by name only;
what they would build is built here, arrays as lists of numbers.
"""

import pickletools
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import BadTable
from retrieval.printable_names import shown

LARGEST = 10_000_000
"""Bytes of a file."""
INTEGERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"}
TEXTS = {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
BYTES = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
LITERALS = {"NONE", "FLOAT", "BINFLOAT"} | INTEGERS | TEXTS | BYTES
DAMAGED = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, struct.error)


def read_plain_pickle(path: Path) -> Any:
    """The dicts, lists, tuples, texts, bytes and numbers in a file, of any shape: check them. Raises BadTable."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise BadTable(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > LARGEST:
        raise BadTable(f"{path} has more than {LARGEST // 10**6} MB, too many for a table of labels.")
    try:
        return _Reader(2 * len(data)).run(data)
    except _Refused as refused:
        raise BadTable(f"{path} {refused}, which a table of labels has no use for; nothing in it was run.") from None
    except DAMAGED:
        raise BadTable(f"{path} is damaged, or no pickle of plain values.") from None


class _Refused(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Name:
    """A function or class that the file asks for; never looked up."""

    name: str


@dataclass(slots=True)
class _Kind:
    """A NumPy dtype as the file describes it: i8, and its byte order in a second step."""

    code: str
    order: Any = "="

    def read(self, data: object) -> Any:
        """(N,) array of the numbers or texts that some bytes stand for."""
        if not re.fullmatch(r"b1|[iuf][1-8]|U\d{1,4}", self.code) or self.order not in ("<", ">", "=", "|"):
            raise _Refused(f"holds an array of {shown(self.code)}")
        return np.frombuffer(_as_bytes(data), np.dtype(self.code).newbyteorder(self.order))


class _Array(list[Any]):
    """Made empty and filled in a second step, as pickles do it."""


class _Reader:
    """The state of a pickle that is being read; `allowance` bounds what few bytes can be made to look like."""

    def __init__(self, allowance: int) -> None:
        self.allowance = allowance
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in LITERALS:
                self.stack.append(argument)
            elif opcode.name == "STOP":
                break
            elif opcode.name in STEPS:
                STEPS[opcode.name](self, argument)
            else:
                raise _Refused(f"uses the step {opcode.name}")
        return self.stack.pop()

    def pop(self, kind: type) -> Any:
        return _checked(self.stack.pop(), kind)

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def last(self, count: int) -> list[Any]:
        return [self.stack.pop() for _ in range(count)][::-1]

    def extend(self, items: list[Any]) -> None:
        _checked(self.stack[-1], list).extend(items)

    def update(self, items: list[Any]) -> None:
        _checked(self.stack[-1], dict).update(_pairs(items))

    def remember(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def spend(self, count: int) -> None:
        self.allowance -= count
        if self.allowance < 0:
            raise _Refused("holds more than its bytes can say")

    def name(self, module: object, name: object) -> None:
        full = ".".join([_checked(module, str), _checked(name, str)]).replace("numpy._core.", "numpy.core.")
        if full not in CALLS:
            raise _Refused(f"asks for {shown(full)}")
        self.stack.append(_Name(full))

    def call(self) -> None:
        arguments = self.pop(tuple)
        self.stack.append(CALLS[self.pop(_Name).name](self, *arguments))

    def set_state(self) -> None:
        state, target = self.pop(tuple), self.stack[-1]
        if isinstance(target, _Kind):
            target.order = state[1]
        elif isinstance(target, _Array):
            _, shape, kind, by_columns, data = state
            self.fill(target, data, kind, shape, "F" if by_columns else "C")
        else:
            raise _Refused("changes what it may not")

    def fill(self, array: _Array, data: Any, kind: Any, shape: tuple[int, ...], order: Any) -> _Array:
        values = data if _checked(kind, _Kind).code in ("O", "O8") else kind.read(data)
        self.spend(len(values))
        array.extend(values if isinstance(values, list) else values.reshape(shape, order=order).tolist())
        return array

    def encode(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise _Refused("encodes text in an odd way")
        self.spend(len(text))
        return _as_bytes(text)


def _checked(value: Any, kind: type | tuple[type, ...]) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _as_bytes(data: Any) -> bytes:
    """What Python 2 called text is bytes here."""
    return data.encode("latin-1") if isinstance(data, str) else bytes(_checked(data, (bytes, bytearray)))


def _pairs(items: list[Any]) -> dict[Any, Any]:
    """Keys are texts and numbers only: to hash nested tuples can be made to take for ever."""
    keys = [_checked(key, (str, bytes, int)) for key in items[::2]]
    return dict(zip(keys, items[1::2], strict=True))


def _no_call(*_: object) -> None:
    raise _Refused("makes an array in an odd way")


CALLS: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray._reconstruct": lambda reader, *_: _Array(),
    "numpy.core.multiarray.scalar": lambda reader, kind, data: _checked(kind, _Kind).read(data)[0].item(),
    "numpy.core.numeric._frombuffer": lambda reader, data, *how: reader.fill(_Array(), data, *how),
    "numpy.dtype": lambda reader, code, *_: _Kind(_as_bytes(code).decode("ascii")),
    "numpy.ndarray": _no_call,  # only ever handed to _reconstruct
    "_codecs.encode": lambda reader, text, encoding: reader.encode(text, encoding),
    "__builtin__.bytes": lambda reader: b"",
}
STEPS: dict[str, Callable[[_Reader, Any], Any]] = {
    "PROTO": lambda r, _: None,
    "FRAME": lambda r, _: None,
    "MARK": lambda r, _: r.marks.append(len(r.stack)),
    "NEWTRUE": lambda r, _: r.stack.append(True),
    "NEWFALSE": lambda r, _: r.stack.append(False),
    "EMPTY_DICT": lambda r, _: r.stack.append({}),
    "EMPTY_LIST": lambda r, _: r.stack.append([]),
    "EMPTY_TUPLE": lambda r, _: r.stack.append(()),
    "DICT": lambda r, _: r.stack.append(_pairs(r.since_mark())),
    "LIST": lambda r, _: r.stack.append(r.since_mark()),
    "TUPLE": lambda r, _: r.stack.append(tuple(r.since_mark())),
    "TUPLE1": lambda r, _: r.stack.append(tuple(r.last(1))),
    "TUPLE2": lambda r, _: r.stack.append(tuple(r.last(2))),
    "TUPLE3": lambda r, _: r.stack.append(tuple(r.last(3))),
    "APPEND": lambda r, _: r.extend(r.last(1)),
    "APPENDS": lambda r, _: r.extend(r.since_mark()),
    "SETITEM": lambda r, _: r.update(r.last(2)),
    "SETITEMS": lambda r, _: r.update(r.since_mark()),
    "MEMOIZE": lambda r, _: r.remember(len(r.memo)),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda r, place: r.remember(place)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda r, place: r.stack.append(r.memo[place])),
    "GLOBAL": lambda r, names: r.name(*names.split(" ")),
    "STACK_GLOBAL": lambda r, _: r.name(*r.last(2)),
    "REDUCE": lambda r, _: r.call(),
    "BUILD": lambda r, _: r.set_state(),
}
