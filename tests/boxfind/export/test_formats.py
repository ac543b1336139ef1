"""Every export format writes a valid file of its type for any result."""

import json
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from boxfind.export.formats import FORMATS
from boxfind.export.search_result import SearchResult
from retrieval.errors import IndexProblem
from tests.boxfind.export.hostile import HOSTILE

STARTS = {".csv": b"\xef\xbb\xbfrank", ".json": b"{", ".coco.json": b"{", ".zip": b"PK", ".html": b"<!DOCTYPE html>"}


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_writes_the_type_of_its_suffix(answer: SearchResult, name):
    kind = FORMATS[name]
    assert kind.write(answer).startswith(STARTS[kind.suffix])
    assert kind.write(answer) == kind.write(answer)
    assert kind.help.endswith(".") and "/" in kind.mime


def test_suffixes_are_distinct():
    assert {kind.suffix for kind in FORMATS.values()} == STARTS.keys() and len(STARTS) == len(FORMATS)


@pytest.mark.parametrize("name", ["JSON", "COCO", "Crops", "Contact sheet"])
def test_a_hit_of_another_gallery_is_refused(answer: SearchResult, name):
    with pytest.raises(IndexProblem, match="no picture"):
        FORMATS[name].write(replace(answer, hits=(replace(answer.hits[0], image="elsewhere.jpg"),)))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", FORMATS)
def test_nothing_raises_for_hostile_text(odd_answer, name, text):
    assert FORMATS[name].write(odd_answer(text, text)).startswith(STARTS[FORMATS[name].suffix])


@pytest.mark.parametrize(
    "path", ["/home/me/holiday", "C:\\Users\\me\\holiday", "holiday", "\\\\server\\share\\holiday"]
)
def test_the_gallery_name_is_its_last_folder(answer: SearchResult, path):
    manifest = answer.gallery.manifest.model_copy(update={"gallery": path})
    moved = replace(answer, gallery=replace(answer.gallery, manifest=manifest))
    assert moved.gallery_name == "holiday" and json.loads(FORMATS["JSON"].write(moved))["gallery"]["name"] == "holiday"


def test_a_gallery_at_the_root_of_a_disk_has_a_name(answer: SearchResult):
    manifest = answer.gallery.manifest.model_copy(update={"gallery": Path("/").anchor})
    assert replace(answer, gallery=replace(answer.gallery, manifest=manifest)).gallery_name == "gallery"


def test_a_result_has_its_time(answer: SearchResult):
    fresh = SearchResult("", (), answer.gallery, None, None)
    assert fresh.made.tzinfo is UTC and fresh.made > answer.made
