"""Marks of saved searches are the ground truth for rating and are removed from the query; the rest does not count."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxfind.evaluation.metrics import Quality, average_precision
from boxfind.evaluation.ratings import (
    ENOUGH,
    Comparison,
    Judged,
    Mean,
    Rating,
    Ratings,
    compare,
    judged,
    mean,
    question,
    rate_all,
    rating,
)
from boxfind.evaluation.ratings_table import judged_table
from index.gallery import open_gallery
from retrieval.errors import IndexProblem, UnreadableImage
from retrieval.request import Example, Request
from retrieval.types import Box, quiet

BOX = Box(10, 20, 60, 80)
PICTURE = "a" * 64
EXAMPLES = (Example(PICTURE, BOX),)
IMAGES = [f"{n:02d}.jpg" for n in range(30)]
LABELS = {"best": "Best", "fast": "Fast"}


def search(name="mug", own=(), **changes) -> Judged:
    """A search with ten marks: three right, seven wrong."""
    marks = {"positives": tuple(IMAGES[:3]), "negatives": tuple(IMAGES[3:10])}
    return Judged(name, Request(**{"examples": EXAMPLES} | marks | changes), own)


def rated(name: str, ap: float) -> Rating:
    return Rating(name, Quality(ap, 0, 0, ap / 2, 0, 0), 3, 4)


def test_the_rated_request_has_no_marks():
    request = Request(EXAMPLES, "best", 1.2, "below", ("a.jpg",), ("b.jpg",))
    asked = question(Judged("mug", request), "fast")
    assert asked == Request(EXAMPLES, "fast", 1.2, "below")
    changed = {field.name for field in fields(Request) if getattr(asked, field.name) != getattr(request, field.name)}
    assert changed == {"ranking", "positives", "negatives"}


def test_a_ranking_with_all_right_ones_first_is_perfect():
    found = rating(search(), IMAGES)
    assert (found.quality.average_precision, found.quality.precision_at_10) == (1, 0.3)
    assert (found.positives, found.judged, found.missing) == (3, 10, "")


some = st.sets(st.sampled_from(IMAGES), min_size=1)


@given(st.permutations(IMAGES), some, some)
def test_figures_are_those_of_the_marked_results_alone(answer, right, wrong):
    wrong -= right
    found = rating(search(positives=tuple(right), negatives=tuple(wrong)), answer)
    marked = [image in right for image in answer if image in right | wrong]
    at = [place for place, is_right in enumerate(marked, start=1) if is_right]
    assert found.quality.average_precision == pytest.approx(average_precision(at, len(right)))
    assert found.quality.precision_at_10 == pytest.approx(sum(marked[:10]) / len(marked[:10]))
    assert found.judged == sum(image in right | wrong for image in answer[:10])


@given(st.permutations(IMAGES), st.lists(st.integers(0, 30)))
def test_unmarked_results_change_no_figure(answer, places):
    longer = list(answer)
    for number, place in enumerate(places):
        longer.insert(place, f"unmarked{number}")
    assert rating(search(), longer).quality == rating(search(), answer).quality


def test_one_that_is_not_found_adds_nothing():
    found = rating(search(positives=("00.jpg", "gone.jpg"), negatives=("01.jpg",)), IMAGES)
    assert found.quality.average_precision == 0.5


def test_the_query_picture_is_removed_from_the_ranking():
    marks = {"positives": ("00.jpg", "02.jpg", "03.jpg"), "negatives": ("01.jpg", *IMAGES[4:10])}
    found = rating(search(own=("00.jpg", "01.jpg"), **marks), IMAGES)
    assert found.quality.average_precision == 1 and found.positives == 2
    assert found.judged == 8  # of ten pictures that are not query pictures


@pytest.mark.parametrize(
    ("right", "wrong", "missing"),
    [
        ((0, 1, 2), (3, 4), ""),
        ((0, 1, 2), (3,), "4 of the first 10 results are marked; at least 5 are needed."),
        ((0,), (20, 21, 22, 23, 24), "1 of the first 10 results is marked; at least 5 are needed."),
        ((0, 1, 2, 3, 4), (), "5 of the first 10 results are marked, none as wrong; mark the others too."),
        ((0, 1, 2, 3, 4, 5, 6), (), "7 of the first 10 results are marked, none as wrong; mark the others too."),
        ((0, 1, 2, 3, 4, 5, 6, 7), (), ""),
        ((0, 1, 2, 3, 4), (20,), ""),
        (range(10), (), ""),
    ],
)
def test_too_few_marks_are_asked_for(right, wrong, missing):
    marks = {"positives": tuple(IMAGES[n] for n in right), "negatives": tuple(IMAGES[n] for n in wrong)}
    assert rating(search(**marks), IMAGES).missing == missing


def test_a_small_gallery_needs_fewer_marks():
    assert not rating(search(positives=("00.jpg",), negatives=("01.jpg",)), IMAGES[:2]).missing


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"examples": ()}, "no box"),
        ({"positives": ()}, "No result is marked as right"),
        ({"positives": (), "negatives": ("01.jpg",)}, "No result is marked as right"),
        ({"positives": ("05.jpg",), "own": ("05.jpg",)}, "Only the query picture itself"),
        ({}, ""),
    ],
)
def test_a_search_that_cannot_be_rated_says_why(changes, why):
    problem = search(**changes).problem or search(**changes).missing
    assert why in problem and bool(problem) == bool(why)


def test_gallery_copies_of_all_query_images_are_found(gallery, build_index):
    (gallery / "below" / "copy.png").write_bytes((gallery / "2.png").read_bytes())
    tables = open_gallery(build_index(gallery)).tables
    sha256 = {image: tables.entry(number).sha256 for image, number in tables.numbers.items()}
    both = Request((Example(sha256["2.png"], BOX), Example(sha256["5.png"], BOX, "view")), positives=("0.png",))
    one, other, uploaded = judged(
        {"both": both, "other": Request((Example(sha256["1.png"], BOX),)), "uploaded": Request(EXAMPLES)}, tables
    )
    assert (one.name, one.request) == ("both", both)
    assert set(one.own) == {"2.png", "below/copy.png", "5.png"}
    assert (other.own, uploaded.own) == (("1.png",), ())


def test_a_search_that_fails_is_unrated_in_every_ranking():
    def answered(one: Judged, ranking: str) -> Rating:
        if one.name == "gone" and ranking == "fast":
            raise UnreadableImage("gone", "The picture is gone.")
        return rating(one, IMAGES)

    told = []
    found = rate_all(
        [search("mug"), search("gone"), search("bare", positives=()), search("new", examples=()), search("jug")],
        ("best", "fast"),
        answered,
        lambda stage, done, total: told.append((done, total)),
    )
    assert {ranking: [one.name for one in by] for ranking, by in found.by_ranking.items()} == {
        "best": ["mug", "jug"],
        "fast": ["mug", "jug"],
    }
    assert found.count == 2
    assert found.unrated == {"gone": "The picture is gone.", "new": "It has no box yet."}
    assert found.unmarked == {"bare": "No result is marked as right."}
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_search_is_rated_only_if_every_ranking_has_enough_marks():
    def answered(one: Judged, ranking: str) -> Rating:
        return rating(one, IMAGES if ranking == "best" else IMAGES[::-1])

    found = rate_all([search()], ("best", "fast"), answered, quiet)
    assert (found.count, found.unrated) == (0, {})
    assert found.unmarked == {"mug": "0 of the first 10 results are marked; at least 5 are needed."}
    assert rate_all([search()], ("best",), answered, quiet).count == 1


def test_an_error_of_the_index_stops_the_rating():
    def broken(*_: object) -> Rating:
        raise IndexProblem("The index has gone.")

    with pytest.raises(IndexProblem):
        rate_all([search()], ("best",), broken, quiet)


AP_LISTS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12)


@given(AP_LISTS)
def test_swapping_two_rankings_negates_the_difference(pairs):
    first = [rated(f"q{n}", pair[0]) for n, pair in enumerate(pairs)]
    second = [rated(f"q{n}", pair[1]) for n, pair in enumerate(pairs)]
    one, other = compare(first, second), compare(second, first)
    assert (other.wins, other.losses, other.ties) == (one.losses, one.wins, one.ties)
    assert other.mean.value == pytest.approx(-one.mean.value)
    if one.mean.bounds:
        assert other.mean.bounds == pytest.approx((-one.mean.bounds[1], -one.mean.bounds[0]))


def test_rankings_are_compared_search_by_search():
    first = [rated("a", 0.9), rated("b", 0.2), rated("c", 0.5)]
    second = [rated("a", 0.4), rated("b", 0.3), rated("c", 0.5 + 1e-12)]
    assert compare(first, second) == Comparison(1, 1, 1, Mean(pytest.approx(0.4 / 3), None))


def test_a_paired_interval_ignores_how_hard_the_searches_are():
    """A ranking that is better by a constant is significantly better, however much the searches vary."""
    aps = [0.1, 0.9, 0.3, 0.7, 0.5, 0.2]
    found = compare([rated(str(ap), ap + 0.05) for ap in aps], [rated(str(ap), ap) for ap in aps])
    assert found.mean.bounds == pytest.approx((0.05, 0.05))


@given(st.lists(st.floats(0, 1), min_size=ENOUGH, max_size=15))
def test_an_interval_contains_its_mean_and_is_deterministic(values):
    found = mean(values)
    assert found.bounds is not None
    low, high = found.bounds
    assert min(values) - 1e-9 <= low <= found.value + 1e-9 and found.value - 1e-9 <= high <= max(values) + 1e-9
    assert mean(values) == found


def test_an_interval_is_as_wide_as_theory_says():
    values = [n / 99 for n in range(100)]
    low, high = mean(values).bounds
    assert high - low == pytest.approx(2 * 1.96 * 0.2916 / 10, rel=0.03)  # standard deviation over root 100


def test_too_few_searches_have_no_interval():
    assert mean([0.2] * (ENOUGH - 1)) == Mean(pytest.approx(0.2), None)
    assert mean([0.2] * ENOUGH).bounds is not None


def test_the_table_has_the_hardest_search_first_and_a_difference_per_row():
    ratings = Ratings({"best": [rated("a", 0.9), rated("b", 0.2)], "fast": [rated("a", 0.4), rated("b", 0.3)]}, {})
    table = judged_table(ratings, LABELS)
    assert tuple(table.columns) == (
        *("Search", "P@10 Best", "Marked of the first 10 Best", "P@10 Fast", "Marked of the first 10 Fast"),
        *("AP Best", "AP Fast", "AP Best − Fast", "Marked right"),
    )
    rows = [["b", 0.1, 4, 0.15, 4, 0.2, 0.3, -0.1, 3], ["a", 0.45, 4, 0.2, 4, 0.9, 0.4, 0.5, 3]]
    assert table.to_numpy().tolist() == rows


def test_the_table_of_one_ranking():
    table = judged_table(Ratings({"fast": [rated("a", 1)]}, {}), LABELS)
    assert list(table.columns) == ["Search", "P@10", "Marked of the first 10", "AP", "Marked right"]
    assert table.to_numpy().tolist() == [["a", 0.5, 4, 1, 3]]


def test_names_in_the_table_are_no_formulas():
    names = ['=HYPERLINK("x")', "@a", "plain, with comma"]
    table = judged_table(Ratings({"best": [rated(name, 0.5) for name in names]}, {}), LABELS)
    assert set(table["Search"]) == {"'" + names[0], "'@a", names[2]}
