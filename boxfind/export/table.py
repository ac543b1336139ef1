"""Export hits as CSV for spreadsheets, or the whole result as JSON for programs."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TextIO

from boxfind.export.search_result import SearchResult, gallery_name
from index.gallery import Gallery
from index.storage.skipped_files import harmless
from index.storage.tables import ImageEntry
from retrieval.images.decode import LoadedImage
from retrieval.types import Box, Hit, Region

COLUMNS = ("rank", "image", "score", "similarity", "confidence", "match", "x", "y", "w", "h", "written")
VERSION = 1
"""Version of the JSON document; raised when a field changes its name or meaning."""


def csv_table(answer: SearchResult) -> bytes:
    """Write one row per hit; formulas are neutralised."""
    header, *rows = table_of_hits(answer.hits)
    return csv_bytes(header, rows)


def table_of_hits(hits: Sequence[Hit]) -> list[tuple[object, ...]]:
    """Return the header and one row per hit, each starting with the rank; formulas are neutralised."""
    parts = list(dict.fromkeys(name for hit in hits for name in hit.parts))
    rows = [
        (
            rank,
            harmless(hit.image),
            _number(hit.score),
            _number(hit.similarity),
            hit.confidence,
            "" if hit.match is None else hit.match,
            *hit.region.box.xywh,
            harmless(hit.written),
            *(_number(hit.parts[name]) if name in hit.parts else "" for name in parts),
        )
        for rank, hit in enumerate(hits, start=1)
    ]
    return [(*COLUMNS, *(harmless(f"part_{name}") for name in parts)), *rows]


def csv_bytes(header: Iterable[object], rows: Iterable[Iterable[object]]) -> bytes:
    """Encode CSV in UTF-8 with a byte order mark, which spreadsheets expect."""
    return csv_text(header, rows).encode("utf-8-sig", "replace")


def csv_text(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO(newline="")
    write_rows(out, header, rows)
    return out.getvalue()


def write_rows(file: TextIO, header: Iterable[object], rows: Iterable[Iterable[object]]) -> None:
    """Write row by row, so that the rows may come from a generator."""
    writer = csv.writer(file)
    writer.writerow(header)
    writer.writerows(rows)


def json_document(answer: SearchResult) -> bytes:
    """Write the query, the gallery and all hits, with keys in a fixed order."""
    return json_bytes(
        {
            "version": VERSION,
            "title": answer.title,
            "made": utc(answer.made),
            "link": answer.link,
            "query": query_facts(answer.query, answer.box),
            "gallery": gallery_facts(answer.gallery),
            "hits": [
                {"rank": rank, **hit_facts(answer.gallery.entry(hit.image), hit)}
                for rank, hit in enumerate(answer.hits, start=1)
            ],
        }
    )


def query_facts(query: LoadedImage | None, box: Box | None) -> dict[str, object]:
    """The size of the query picture and the box on it."""
    width, height = query.size if query is not None else (None, None)
    return {"width": width, "height": height, "box": _sides(box) if box else None}


def gallery_facts(gallery: Gallery) -> dict[str, object]:
    """What was searched, and how its pictures were described."""
    manifest, recipe = gallery.manifest, ("backbone", "weights_sha256", "side", "pooling", "dimensions")
    return {
        "name": gallery_name(gallery),
        "images": manifest.counts.images,
        "generation": gallery.folder.name,
        "recipe": {name: getattr(manifest.recipe, name) for name in recipe},
    }


def json_bytes(value: object) -> bytes:
    """Encode strict JSON in UTF-8: lone surrogates become question marks, NaN is an error."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1).encode("utf-8", "replace")


def utc(made: datetime) -> str:
    """Return a time as 2025-03-09T14:05:00Z."""
    return f"{made.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def hit_facts(entry: ImageEntry, hit: Hit) -> dict[str, object]:
    """All details of a hit but its rank. `entry` is that of its picture."""
    return {
        "image": hit.image,
        "width": entry.width,
        "height": entry.height,
        "score": _number(hit.score),
        "similarity": _number(hit.similarity),
        "confidence": hit.confidence,
        "match": hit.match,
        "parts": {name: _number(part) for name, part in hit.parts.items()},
        "written": hit.written,
        "region": _region(hit.region),
        "others": [_region(other) for other in hit.others],
        "same_text": [{**_sides(line.box), "text": line.text} for line in hit.same_text],
    }


def _region(region: Region) -> dict[str, object]:
    return {**_sides(region.box), "kind": region.kind}


def _sides(box: Box) -> dict[str, int]:
    return dict(zip(("x", "y", "w", "h"), box.xywh, strict=True))


def _number(value: float) -> float:
    return round(float(value), 6)
