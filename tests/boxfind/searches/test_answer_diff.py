"""The diff of two answers lists new and missing hits."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from boxfind.searches.answer_diff import AnswerDiff, answer_diff
from boxfind.searches.saved_searches import Saved
from retrieval.request import Request

answers = st.lists(st.sampled_from("abcdefgh"), unique=True)


def saved(answer: list[str]) -> Saved:
    return Saved("cups", Request(), datetime(2026, 5, 1, tzinfo=UTC), "gen-1", tuple(answer))


def test_new_and_gone_best_first():
    assert answer_diff(saved(["a", "b", "c", "d"]), ["e", "c", "a", "f"]) == AnswerDiff(("e", "f"), ("b", "d"))


@given(answers, answers)
def test_what_was_there_and_the_news_make_what_is_there(then, now):
    changed = answer_diff(saved(then), now)
    assert {*then} - {*changed.gone} | {*changed.new} == {*now}
    assert answer_diff(saved(now), now) == AnswerDiff((), ())
    assert answer_diff(saved(now), then) == AnswerDiff(changed.gone, changed.new)


def test_only_as_many_count_as_were_kept():
    everything = [str(number) for number in range(150)]
    assert answer_diff(saved(everything[:100]), everything) == AnswerDiff((), ())
