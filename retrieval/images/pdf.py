"""Pages of PDF documents as pictures, rendered with PDFium, and the text that they contain."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from retrieval.errors import UnreadableImage
from retrieval.images.decode import LoadedImage, check_size
from retrieval.images.limits import SourceLimits
from retrieval.images.places import no_such_place, number_of, page_place
from retrieval.printable_names import shown
from retrieval.types import Box, WrittenLine

SIDE = 1_920
"""Longest side of a page in pixels: its size as a picture. A page of A4 then has 164 dots an inch. From 2,000 pixels
on, pages would be described in tiles by default: in four times the time, and without finding more (RESULTS.md)."""
MOST_LINES = 1_000
FEWEST_LETTERS = 3
"""A page with fewer letters of text is a scan."""


class PdfPages:
    """The pages of a PDF file, which is read in parts."""

    def __init__(self, path: Path, name: str, limits: SourceLimits, incomplete: bool = False) -> None:
        """Raises UnreadableImage if the file is damaged or needs a password."""
        import pypdfium2

        self._name, self._error = shown(name), pypdfium2.PdfiumError
        try:
            self._document = pypdfium2.PdfDocument(path)
            self.total = len(self._document)
        except self._error as error:
            if "password" in str(error).lower():
                raise UnreadableImage("password", f"{self._name} needs a password; save a copy without one.") from None
            raise UnreadableImage("damaged", f"{self._name} is damaged and cannot be opened as a PDF.") from None
        if not self.total:
            raise UnreadableImage("empty", f"{self._name} has no pages.")
        self.places: Sequence[str] = [page_place(number) for number in range(1, min(self.total, limits.pages) + 1)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._document.close()

    def picture(self, place: str, enough: int | None = None) -> LoadedImage:
        """Render a page, at a longest side of at most `enough` pixels if that suffices. Raises UnreadableImage."""
        number = number_of(place)
        if number > self.total:
            raise no_such_place(self._name, place)
        try:
            page = self._document[number - 1]
            try:
                size = page.get_size()
                width, height = _pixels(size, SIDE)
                check_size(width, height, f"Page {number} of {self._name}")
                side = min(SIDE, enough or SIDE)
                bitmap = page.render(scale=side / max(size), rev_byteorder=True)
                image = np.array(bitmap.to_numpy()[..., :3])
                bitmap.close()
            finally:
                page.close()
        except (self._error, ValueError, MemoryError, ZeroDivisionError) as error:
            raise UnreadableImage(
                "damaged", f"Page {number} of {self._name} is damaged and cannot be shown ({error})."
            ) from None
        image.setflags(write=False)
        return LoadedImage(image, width, height)

    def is_new(self, picture: LoadedImage) -> bool:
        """Whether a picture differs from those before it; pages always count."""
        return True

    def text(self, place: str) -> list[WrittenLine]:
        """The lines of text that a page contains, with their places; none if it is a scan."""
        page = self._document[number_of(place) - 1]
        try:
            size = page.get_size()
            width, height = _pixels(size, SIDE)
            text = page.get_textpage()
            scale, lines = SIDE / max(size), []
            for index in range(min(text.count_rects(), MOST_LINES)):
                left, bottom, right, top = text.get_rect(index)
                words = " ".join(text.get_text_bounded(left, bottom, right, top).split())
                box = Box(
                    int(left * scale),
                    int((size[1] - top) * scale),
                    max(round(right * scale), int(left * scale) + 1),
                    max(round((size[1] - bottom) * scale), int((size[1] - top) * scale) + 1),
                ).clipped(width, height)
                if words and box.width > 0 and box.height > 0:
                    lines.append(WrittenLine(words, box, 1.0))
            text.close()
        except (self._error, ValueError):
            return []
        finally:
            page.close()
        letters = sum(character.isalnum() for line in lines for character in line.text)
        return lines if letters >= FEWEST_LETTERS else []


def _pixels(size: tuple[float, float], side: int) -> tuple[int, int]:
    """The size in pixels of a page whose longest side has `side` pixels."""
    width, height = size
    scale = side / max(width, height)
    return max(round(width * scale), 1), max(round(height * scale), 1)
