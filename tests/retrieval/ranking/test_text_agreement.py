"""Text agreement: rare words count more, many words less, and verified images lend their words."""

import math

import pytest

from retrieval.ranking.text_agreement import (
    CERTAIN,
    EXPANSION_IMAGES,
    FULL,
    MOST,
    WEIGHT,
    TextMatch,
    certain_images,
    find_text,
    joined_texts,
    lines_inside,
    shared_words,
    text_scores,
)
from retrieval.types import Box, WrittenLine, WrittenMatch


class Written:
    """A gallery of which only the text is asked for."""

    def __init__(self, matches: dict[int, list[WrittenMatch]]) -> None:
        self.matches = matches
        self.asked: list[tuple[list[str], int]] = []

    def find_written(self, sought, most):
        self.asked.append((list(sought), most))
        return self.matches


def written(text: str, box: Box | None = None, confidence: float = 1.0) -> WrittenLine:
    return WrittenLine(text, box or Box(0, 0, 90, 20), confidence)


def match(sought: str, rarity: float, score: float = 1.0, confidence: float = 1.0) -> WrittenMatch:
    return WrittenMatch(sought, written(sought, confidence=confidence), score, rarity)


def evidence(*matches: WrittenMatch, weight: float = 1.0) -> float:
    sought = dict.fromkeys((match.sought for match in matches), weight)
    return find_text(sought, Written({3: list(matches)}))[3].evidence


def test_evidence_is_rarity_less_doubt():
    assert evidence(match("rare", 5)) == 5 > evidence(match("usual", 2))
    assert evidence(match("rare", 5, score=0.8)) == pytest.approx(4)
    assert evidence(match("rare", 5, confidence=0.6)) == pytest.approx(3)
    assert evidence(match("rare", 5), weight=0.5) == pytest.approx(2.5)


def test_several_words_are_more_evidence_than_one_of_several():
    both = Written({1: [match("one", 4), match("other", 4)], 2: [match("one", 4)]})
    found = find_text({"one": 1.0, "other": 1.0, "found nowhere": 1.0}, both)
    assert found[1].evidence == pytest.approx(8 / math.sqrt(2))
    assert found[2].evidence == pytest.approx(4 / math.sqrt(2))
    assert [line.text for line in found[1].lines] == ["one", "other"]
    assert both.asked == [(["one", "other", "found nowhere"], MOST)]


def test_lines_are_shown_once_in_the_order_of_their_evidence():
    line = written("two words")
    matches = [
        match("usual", 0.5),
        match("one", 2),
        WrittenMatch("two", line, 1.0, 3),
        WrittenMatch("words", line, 1.0, 1),
    ]
    found = find_text(dict.fromkeys(["usual", "one", "two", "words"], 1.0), Written({1: matches}))
    assert [shown.text for shown in found[1].lines] == ["two words", "one"]


def test_without_words_the_gallery_is_not_asked():
    gallery = Written({1: [match("one", 4)]})
    assert find_text({}, gallery) == {} and gallery.asked == []
    assert find_text({"one": 1.0}, Written({})) == {}


def test_lines_of_a_box_have_their_centre_in_it():
    lines = [written("in", Box(10, 10, 30, 20)), written("half", Box(0, 10, 22, 20)), written("out", Box(60, 0, 90, 9))]
    assert [line.text for line in lines_inside(lines, Box(10, 5, 40, 30))] == ["in", "half"]


def test_words_of_several_verified_images_are_shared():
    assert shared_words([{"kfc": 1.0, "menu": 1.0}, {"kfc": 0.8}, {}]) == pytest.approx({"kfc": 0.6})
    assert shared_words([{"kfc": 1.0}]) == {} == shared_words([])
    assert shared_words([{"two": 1.0}] * 2 + [{}] * 8) == {}  # too few of ten


def test_the_match_with_more_evidence_is_kept():
    weak, strong = TextMatch(1.0, ()), TextMatch(5.0, ())
    assert joined_texts({1: weak, 2: strong}, {1: strong, 2: weak, 3: weak}) == {1: strong, 2: strong, 3: weak}


def test_certain_images_come_in_the_order_of_their_evidence():
    texts = {n: TextMatch(CERTAIN + n / 100 - 0.095, ()) for n in range(50)}
    certain = certain_images(texts)
    assert certain == list(range(49, 49 - EXPANSION_IMAGES, -1))
    assert certain_images({n: texts[n] for n in range(12)}) == [11, 10]


def test_the_score_grows_with_the_evidence_up_to_its_weight():
    scores = text_scores({n: TextMatch(n / 2, ()) for n in range(30)})
    assert scores[0] == 0 and scores[29] == WEIGHT == scores[int(2 * FULL)]
    assert list(scores.values()) == sorted(scores.values()) and scores[4] < scores[5]
