"""CSV and JSON contain the hits, no formulas and no local paths."""

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxfind.export.search_result import SearchResult
from boxfind.export.table import COLUMNS, csv_table, json_document
from index.storage.skipped_files import FORMULA
from tests.boxfind.export.hostile import ANY_TEXT, HOSTILE


def rows(data: bytes) -> list[dict[str, str]]:
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def strict(data: bytes):
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(data.decode("utf-8"), parse_constant=refuse)


def test_the_table_has_the_values_of_the_hits(answer: SearchResult):
    table = rows(csv_table(answer))
    parts = ("part_expansion", "part_diffusion", "part_lead", "part_verification", "part_appearance", "part_text")
    assert tuple(table[0]) == (*COLUMNS, *parts) and len(table) == 6
    for rank, (row, hit) in enumerate(zip(table, answer.hits, strict=True), start=1):
        assert (int(row["rank"]), row["image"].removeprefix("'"), row["confidence"]) == (
            rank,
            hit.image,
            hit.confidence,
        )
        assert tuple(int(row[side]) for side in "xywh") == hit.region.box.xywh
        assert int(row["match"]) == hit.match
        assert float(row["score"]) == pytest.approx(hit.score, abs=1e-6)
        assert float(row["similarity"]) == pytest.approx(hit.similarity, abs=1e-6)
        assert [float(row[part]) for part in parts] == pytest.approx(list(hit.parts.values()), abs=1e-6)
    assert {row["image"] for row in table} >= {"plain.jpg", "'=cmd|'x'!A0.jpg"}


def test_a_hit_without_a_figure_has_an_empty_cell(answer: SearchResult):
    bare = replace(answer, hits=(replace(answer.hits[0], match=None),))
    assert rows(csv_table(bare))[0]["match"] == "" and strict(json_document(bare))["hits"][0]["match"] is None


def test_missing_score_parts_are_empty(answer: SearchResult):
    one, two = (replace(answer.hits[0], parts=parts) for parts in ({"similarity": -0.5}, {"diffusion": 0.25}))
    table = rows(csv_table(replace(answer, hits=(one, two))))
    assert [row["part_similarity"] for row in table] == ["-0.5", ""]
    assert [row["part_diffusion"] for row in table] == ["", "0.25"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_is_a_formula(odd_answer, text):
    (row,) = rows(csv_table(odd_answer(text, text)))
    assert not row["image"].startswith(FORMULA)
    kept = text.encode(errors="replace").decode()
    assert row["image"] in (kept, f"'{kept}")


@given(st.lists(ANY_TEXT, max_size=4))
@settings(max_examples=50)
def test_any_names_keep_their_rows(answer: SearchResult, names):
    hits = tuple(replace(answer.hits[0], image=name) for name in names)
    table = rows(csv_table(replace(answer, hits=hits)))
    assert [int(row["rank"]) for row in table] == list(range(1, len(names) + 1))
    assert all(row[None] == [] for row in table if None in row) and all(row["h"] for row in table)


def test_json_has_all_details(answer: SearchResult):
    document = strict(json_document(answer))
    assert (document["title"], document["made"], document["link"]) == ("Red mug", "2025-03-09T14:05:07Z", answer.link)
    assert document["query"] == {"width": 800, "height": 600, "box": {"x": 100, "y": 80, "w": 300, "h": 340}}
    gallery = document["gallery"]
    assert (gallery["name"], gallery["images"]) == ("private pictures", 6)
    assert gallery["generation"] == answer.gallery.folder.name and gallery["recipe"]["dimensions"] == 8
    assert gallery["recipe"]["backbone"] == "efficientnet-lite0"
    for found, hit in zip(document["hits"], answer.hits, strict=True):
        assert (found["image"], found["confidence"], found["parts"].keys()) == (
            hit.image,
            hit.confidence,
            hit.parts.keys(),
        )
        assert (found["width"], found["height"]) == (800, 600) and found["match"] == hit.match
        for place, region in zip([found["region"], *found["others"]], [hit.region, *hit.others], strict=True):
            assert tuple(place.values()) == (*region.box.xywh, region.kind)
    assert len(document["hits"][1]["others"]) == 2


def test_the_same_answer_is_the_same_json(answer: SearchResult):
    assert json_document(answer) == json_document(replace(answer))


def test_exports_do_not_contain_the_gallery_path(answer: SearchResult):
    assert "secret-place" in answer.gallery.manifest.gallery
    for write in (csv_table, json_document):
        assert b"secret-place" not in write(answer)


def test_nan_is_an_error(answer: SearchResult):
    with pytest.raises(ValueError, match="JSON"):
        json_document(replace(answer, hits=(replace(answer.hits[0], score=float("nan")),)))


def test_without_a_query_and_without_hits(answer: SearchResult):
    bare = replace(answer, hits=(), query=None, box=None)
    assert strict(json_document(bare))["query"] == {"width": None, "height": None, "box": None}
    assert csv_table(bare).decode("utf-8-sig").strip() == ",".join(COLUMNS)


@pytest.mark.parametrize("text", HOSTILE)
def test_json_holds_any_text(odd_answer, text):
    document = strict(json_document(odd_answer(text, text)))
    assert document["title"] == document["hits"][0]["image"] == text.encode(errors="replace").decode()
