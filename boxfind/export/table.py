"""Export hits as CSV for spreadsheets, or the whole result as JSON for programs."""

import csv
import io
import json
from collections.abc import Iterable
from datetime import UTC
from typing import TextIO

from boxfind.export.search_result import SearchResult
from index.storage.skipped_files import harmless
from retrieval.types import Box, Hit, Region

COLUMNS = ("rank", "image", "score", "similarity", "confidence", "match", "x", "y", "w", "h", "written")
VERSION = 1
"""Version of the JSON document; raised when a field changes its name or meaning."""


def csv_table(answer: SearchResult) -> bytes:
    """Write one row per hit; formulas are neutralised."""
    parts = list(dict.fromkeys(name for hit in answer.hits for name in hit.parts))
    rows = (
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
        for rank, hit in enumerate(answer.hits, start=1)
    )
    return csv_bytes([*COLUMNS, *(harmless(f"part_{name}") for name in parts)], rows)


def csv_bytes(header: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    """Encode CSV in UTF-8 with a byte order mark, which spreadsheets expect."""
    return csv_text(header, rows).encode("utf-8-sig", "replace")


def csv_text(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO(newline="")
    write_rows(out, header, rows)
    return out.getvalue()


def write_rows(file: TextIO, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write row by row, so that the rows may come from a generator."""
    writer = csv.writer(file)
    writer.writerow(header)
    writer.writerows(rows)


def json_document(answer: SearchResult) -> bytes:
    """Write the query, the gallery and all hits, with keys in a fixed order."""
    width, height = answer.query.size if answer.query is not None else (None, None)
    manifest = answer.gallery.manifest
    recipe = ("backbone", "weights_sha256", "side", "pooling", "dimensions")
    return json_bytes(
        {
            "version": VERSION,
            "title": answer.title,
            "made": utc(answer),
            "link": answer.link,
            "query": {"width": width, "height": height, "box": _sides(answer.box) if answer.box else None},
            "gallery": {
                "name": answer.gallery_name,
                "images": manifest.counts.images,
                "generation": answer.gallery.folder.name,
                "recipe": {name: getattr(manifest.recipe, name) for name in recipe},
            },
            "hits": [_hit(answer, rank, hit) for rank, hit in enumerate(answer.hits, start=1)],
        }
    )


def json_bytes(value: object) -> bytes:
    """Encode strict JSON in UTF-8: lone surrogates become question marks, NaN is an error."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1).encode("utf-8", "replace")


def utc(answer: SearchResult) -> str:
    """Return the time of the search as 2025-03-09T14:05:00Z."""
    return f"{answer.made.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _hit(answer: SearchResult, rank: int, hit: Hit) -> dict[str, object]:
    entry = answer.gallery.entry(hit.image)
    return {
        "rank": rank,
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
