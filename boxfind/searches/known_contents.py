"""Contents of a collection as short digests, which tell pictures that are new from renamed and moved ones."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Digests = NDArray[np.uint64]
"""The first 8 bytes of the SHA-256 of each picture; among a million, two that differ share one by a chance of 1e-7."""


def digests(hashes: Iterable[str]) -> Digests:
    """The digests of SHA-256 hashes given in hexadecimal."""
    return np.frombuffer(bytes.fromhex("".join(sha256[:16] for sha256 in hashes)), np.uint64)
