"""The words that a query looks for in the text of pictures."""

from pathlib import Path

from boxfind.settings import Settings
from index.storage.sources import load_query
from retrieval.descriptors.embedder import checked_box
from retrieval.request import box_from_text
from retrieval.text.sought_words import sought_words
from retrieval.text.word_search import parse_text
from retrieval.text.written_text import TextReader


def words_of_text(text: str) -> list[str]:
    """The texts in quotation marks of a text query, and each of its other words."""
    query = parse_text(text)
    return [*query.quoted, *query.rest.split()]


def words_of_picture(settings: Settings, picture: Path, box: str | None) -> list[str]:
    """The words that are read in a box of a query picture, or else in all of it; `best` looks for them in others.

    Raises UnreadableImage, BadBox, RuntimeMissing.
    """
    image = load_query(picture, settings.reading)
    place = checked_box(image.size, box_from_text(box)) if box else image.whole
    return list(sought_words(TextReader.of_queries().read(image.crop(place))))
