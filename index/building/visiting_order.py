"""Put the files of a gallery in an order in which the first ones stand for the whole."""

import random
from collections.abc import Iterable, Sequence

from index.storage.folder_scan import ScannedFile


def visiting_order(files: Iterable[ScannedFile]) -> list[ScannedFile]:
    """The files, interleaved over folders and dates: any first part of them is spread evenly over all.

    They are lined up by folder and date, and the line is halved again and again; the halves of each part take turns,
    and a coin with a fixed seed says which one begins. It is a van der Corput sequence, scrambled so that nothing that
    repeats along the line, such as the same number of pictures in every folder, decides what comes first.
    """
    line = sorted(files, key=lambda file: (file.id.rpartition("/")[0], file.mtime, file.id))
    return _spread(line, random.Random(0))


def _spread(line: Sequence[ScannedFile], coin: random.Random) -> list[ScannedFile]:
    if len(line) < 2:
        return list(line)
    half = (len(line) + 1) // 2
    first, second = _spread(line[:half], coin), _spread(line[half:], coin)
    if len(first) == len(second) and coin.random() < 0.5:
        first, second = second, first
    spread: list[ScannedFile] = [line[0]] * len(line)
    spread[::2], spread[1::2] = first, second
    return spread
