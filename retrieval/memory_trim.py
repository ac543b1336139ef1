"""Give freed memory back to the system."""

import contextlib
import ctypes


def trim_memory() -> None:
    """Return free heap pages to the system, which glibc otherwise keeps. Does nothing with other C libraries."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
