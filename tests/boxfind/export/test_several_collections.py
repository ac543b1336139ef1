"""Exports of results from several collections name the collection of each hit."""

import pytest

from boxfind.export.search_result import SearchResult
from boxfind.export.several_collections import SeveralCollectionsResult, collections_csv, collections_json
from boxfind.export.table import csv_table, json_document
from index.storage.skipped_files import FORMULA
from tests.boxfind.export.hostile import HOSTILE
from tests.boxfind.export.test_table import rows, strict


def of_two(answer: SearchResult, first: str = "Sea", second: str = "Attic") -> SeveralCollectionsResult:
    """The hits of a result, in turns of one collection and another."""
    names = [first, second] * len(answer.hits)
    hits = tuple((name, answer.gallery, hit) for name, hit in zip(names, answer.hits, strict=False))
    return SeveralCollectionsResult(answer.title, hits, answer.query, answer.box, answer.link, answer.made)


def test_the_table_is_that_of_one_collection_with_another_column(answer: SearchResult):
    table = rows(collections_csv(of_two(answer)))
    assert list(table[0])[:3] == ["rank", "collection", "image"]
    assert [row.pop("collection") for row in table] == ["Sea", "Attic"] * 3
    assert table == rows(csv_table(answer))


def test_the_document_names_the_collections_and_their_hits(answer: SearchResult):
    told, alone = strict(collections_json(of_two(answer))), strict(json_document(answer))
    assert [facts.pop("collection") for facts in told["collections"]] == ["Sea", "Attic"]
    assert told["collections"] == [alone["gallery"]] * 2 and told["query"] == alone["query"]
    assert [hit.pop("collection") for hit in told["hits"]] == ["Sea", "Attic"] * 3
    assert told["hits"] == alone["hits"]


@pytest.mark.parametrize("name", HOSTILE)
def test_the_name_of_a_collection_is_no_formula(answer: SearchResult, name: str):
    table = rows(collections_csv(of_two(answer, name)))
    assert len(table) == len(answer.hits) and not table[0]["collection"].startswith(FORMULA)


def test_no_hits_are_a_header_and_an_empty_list(answer: SearchResult):
    nothing = SeveralCollectionsResult("", (), None, None)
    assert rows(collections_csv(nothing)) == [] and strict(collections_json(nothing))["hits"] == []
