"""What is written in pictures comes before what words mean; quoted text must be written."""

import numpy as np
import pytest

from retrieval.errors import IndexProblem
from retrieval.ranking.confidence import meaning
from retrieval.text.text_search import describe_nothing
from retrieval.text.word_search import parse_text, rerank_by_words, search_by_words
from retrieval.types import Box, Hit, Region, WrittenLine, WrittenMatch, unit


def line(text: str, width: int = 30) -> WrittenLine:
    return WrittenLine(text, Box(10, 20, 10 + width, 40), 0.9)


class Gallery:
    """Gives prepared matches, besides everything of a NumPy gallery."""

    def __init__(self, inner, matches: dict[int, list[WrittenMatch]]) -> None:
        self.inner, self.matches, self.asked = inner, matches, []

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def find_written(self, sought, most=1000):
        self.asked.append(list(sought))
        found = {
            image: [match for match in matches if match.sought in sought] for image, matches in self.matches.items()
        }
        return {image: matches for image, matches in found.items() if matches}


@pytest.fixture
def gallery(numpy_gallery):
    rng = np.random.default_rng(2)
    matches = {
        1: [WrittenMatch("Eleven", line("ELEVEM"), 0.83, 3.0)],
        2: [WrittenMatch("Eleven", line("Eleven"), 1.0, 3.0), WrittenMatch("night", line("Night"), 1.0, 2.0)],
        3: [WrittenMatch("Eleven", line("ELEVEN", width=90), 1.0, 3.0)],
        4: [WrittenMatch("the", line("the"), 1.0, 0.9)],
        5: [WrittenMatch("diet coke", line("Diet Coke"), 1.0, 5.0), WrittenMatch("diet", line("Diet Coke"), 1.0, 4.0)],
        6: [WrittenMatch("diet", line("Diet"), 1.0, 4.0), WrittenMatch("coke", line("Coke"), 1.0, 4.0)],
    }
    return Gallery(numpy_gallery(unit(rng.normal(size=(8, 6))), np.arange(8)), matches)


@pytest.fixture
def scorer():
    """Finds image 7, then 6, and so on."""
    return lambda: lambda _: (np.arange(8), np.arange(8, dtype=np.float32) / 10)


def no_scorer():
    raise IndexProblem("This index cannot be searched by description.")


def found(hits: list[Hit]) -> list[int]:
    return [int(hit.image) for hit in hits]


@pytest.mark.parametrize(
    ("text", "quoted", "rest"),
    [
        ("a panda", (), "a panda"),
        ('"7-Eleven"', ("7-Eleven",), ""),
        ("at “7-Eleven” by  night „Brot“", ("7-Eleven", "Brot"), "at by night"),
        ("「百度」 map", ("百度",), "map"),
        ("Wrigley's", (), "Wrigley's"),
        ('15" screen', (), '15" screen'),
        ('"" ', (), '""'),
    ],
)
def test_quotation_marks(text, quoted, rest):
    assert (parse_text(text).quoted, parse_text(text).rest) == (quoted, rest)


def test_written_comes_first_exact_before_similar_large_before_small(gallery, scorer):
    hits = search_by_words("Eleven", scorer, gallery, "fast", 6)
    assert found(hits) == [3, 2, 1, 7, 6, 5]
    assert [hit.confidence for hit in hits[:3]] == ["likely", "likely", "possible"]
    assert (hits[0].region, hits[0].written) == (Region(Box(10, 20, 100, 40), "written", 0.9, "ELEVEN"), "ELEVEN")
    assert meaning(hits[0]) == "Written in it: “ELEVEN”." and "Nearly" in meaning(hits[2]) and hits[3].written == ""
    assert all(hit.score == pytest.approx(sum(hit.parts.values())) for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert found(search_by_words("Eleven", scorer, gallery, "fast", 2)) == [3, 2]
    assert len(search_by_words("Eleven", scorer, gallery, "fast", 0)) == 8


def test_names_come_after_what_is_described_and_before_what_is_unlikely(gallery, scorer):
    described = np.array([0, 0.1, 0, 0.1, 0, 0.1, 0.9, 1], np.float32)
    hits = search_by_words("00003", lambda: lambda _: (np.arange(8), described), gallery, "fast", 0)
    assert found(hits)[:3] == [7, 6, 3] and len(hits) == 8
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert found(search_by_words("00003", scorer, gallery, "fast", 3)) == [3, 7, 6]
    hits = search_by_words("00003", lambda: describe_nothing, gallery, "fast", 3)
    assert found(hits) == [3] and meaning(hits[0]) == "Its name or folder has these words."
    assert search_by_words("…", lambda: describe_nothing, gallery, "fast", 3) == []


def test_words_together_come_before_words_apart(gallery, scorer):
    assert found(search_by_words("diet coke", scorer, gallery, "fast", 3)) == [5, 6, 7]


def test_of_a_text_over_two_lines_both_are_shown(gallery):
    both = WrittenMatch("diet coke", WrittenLine("Diet / Coke", Box(10, 20, 40, 70), 0.9), 0.96, 5.0)
    gallery.matches = {6: [*gallery.matches[6], both], 5: gallery.matches[5][:1]}
    for text in ("diet coke", '"diet coke"'):
        hits = search_by_words(text, lambda: describe_nothing, gallery, "fast", 0)
        assert [(hit.written, hit.region.box.height) for hit in hits] == [("Diet Coke", 20), ("Diet / Coke", 50)]


def test_most_of_a_query_must_be_written(gallery, scorer):
    assert found(search_by_words("the panda", scorer, gallery, "fast", 2)) == [7, 6]
    assert found(search_by_words("Eleven night", scorer, gallery, "fast", 2)) == [2, 7]


def test_quoted_text_must_be_written(gallery):
    assert found(search_by_words('"Eleven"', no_scorer, gallery, "fast", 0)) == [3, 2, 1]
    assert found(search_by_words('"Eleven" “night” shop', no_scorer, gallery, "fast", 0)) == [2]
    assert search_by_words('"nowhere"', no_scorer, gallery, "fast", 0) == []


def test_without_descriptions_only_what_is_written_is_found(gallery):
    assert found(search_by_words("Eleven", lambda: describe_nothing, gallery, "fast", 0)) == [3, 2, 1]
    assert search_by_words("nowhere", lambda: describe_nothing, gallery, "fast", 0) == []
    hits = [Hit("00002", Region(Box(0, 0, 9, 9), "grid"), 0.5, 0.5, "likely", {})]
    assert rerank_by_words("nowhere", lambda: describe_nothing, gallery, hits) == hits


def test_beside_a_box_words_rerank(gallery, scorer):
    hits = [Hit(f"{image:05d}", Region(Box(0, 0, 9, 9), "grid"), 0.5, 0.5, "likely", {}) for image in (0, 2, 3, 7)]
    ranked = rerank_by_words("Eleven", scorer, gallery, hits)
    assert set(found(ranked[:3])) >= {2, 3}
    assert ranked[-1].image == "00000" and ranked[1].parts.keys() == {"words", "written"}
    only = rerank_by_words('"Eleven"', no_scorer, gallery, hits)
    assert found(only) == [2, 3] and only[0].parts == {"written": 0.5}
