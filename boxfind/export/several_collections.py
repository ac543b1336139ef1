"""Export the hits of several collections as CSV or JSON, with the collection of each hit."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from boxfind.export.table import (
    VERSION,
    csv_bytes,
    gallery_facts,
    hit_facts,
    json_bytes,
    query_facts,
    table_of_hits,
    utc,
)
from index.gallery import Gallery
from index.storage.skipped_files import harmless
from retrieval.images.decode import LoadedImage
from retrieval.types import Box, Hit


@dataclass(frozen=True, slots=True)
class SeveralCollectionsResult:
    """The query and the hits of a search in several collections, best first. Other fields are as in SearchResult."""

    title: str
    hits: tuple[tuple[str, Gallery, Hit], ...]
    """Each hit with the name of its collection, which is untrusted text, and the gallery that holds its picture."""
    query: LoadedImage | None
    box: Box | None
    link: str = ""
    made: datetime = field(default_factory=lambda: datetime.now(UTC))


def collections_csv(answer: SeveralCollectionsResult) -> bytes:
    """Write one row per hit, with its collection after the rank; formulas are neutralised."""
    header, *rows = table_of_hits([hit for _, _, hit in answer.hits])
    names = [harmless(name) for name, _, _ in answer.hits]
    named = ((row[0], name, *row[1:]) for name, row in zip(names, rows, strict=True))
    return csv_bytes((header[0], "collection", *header[1:]), named)


def collections_json(answer: SeveralCollectionsResult) -> bytes:
    """Write the query, the collections with a hit, and all hits, with keys in a fixed order."""
    galleries = {name: gallery for name, gallery, _ in answer.hits}
    return json_bytes(
        {
            "version": VERSION,
            "title": answer.title,
            "made": utc(answer.made),
            "link": answer.link,
            "query": query_facts(answer.query, answer.box),
            "collections": [{"collection": name, **gallery_facts(gallery)} for name, gallery in galleries.items()],
            "hits": [
                {"rank": rank, "collection": name, **hit_facts(gallery.entry(hit.image), hit)}
                for rank, (name, gallery, hit) in enumerate(answer.hits, start=1)
            ],
        }
    )
