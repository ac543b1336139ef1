"""Search for images with all wanted objects and no unwanted ones."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval import multi_object
from retrieval.multi_object import merge_views, search_multiple
from retrieval.ranking.confidence import BackgroundScores, confidence_of
from retrieval.ranking.region_search import best_region_of
from retrieval.search import RANKINGS, search
from retrieval.types import Box, Hit, Query, Region, WrittenLine, unit

FLAT = np.zeros((32, 32, 3), np.uint8)
LEFT, RIGHT = Box(0, 0, 100, 100), Box(200, 0, 300, 100)


def asked(*descriptor: float) -> Query:
    return Query((FLAT,), unit(np.array(descriptor)))


def hit(image: str, score: float, box: Box = LEFT, confidence: str = "possible", kind: str = "grid", **more) -> Hit:
    return Hit(
        image, Region(box, kind), score, more.pop("similarity", score), confidence, {"similarity": score}, **more
    )


@pytest.fixture
def rankings(monkeypatch):
    """Set the ranking of each object, keyed by the first value of its descriptor."""

    def are(**found: list[Hit]) -> list[Query]:
        queries = {name: Query((FLAT,), np.array([n], np.float32)) for n, name in enumerate(found)}

        def fake(query, gallery, ranking, top):
            return list(found.values())[int(query.descriptor[0])]

        monkeypatch.setattr(multi_object, "search", fake)
        return list(queries.values())

    return are


def names(hits: list[Hit]) -> list[str]:
    return [hit.image for hit in hits]


def test_merged_view_is_the_mean_with_all_crops():
    one, other = asked(1, 0), Query((FLAT + 1, FLAT + 2), unit(np.array([0.6, 0.8])))
    assert merge_views([one]) is one
    both = merge_views([one, other])
    assert [int(crop[0, 0, 0]) for crop in both.crops] == [0, 1, 2]
    assert both.descriptor == pytest.approx(unit(np.array([1.6, 0.8])), abs=1e-6)
    assert merge_views([one, one]).descriptor == pytest.approx(one.descriptor)


def test_merged_view_reads_all_views_that_can_be_read():
    lines = [WrittenLine(text, LEFT, 1.0) for text in ("one", "other")]
    views = [replace(asked(1, 0), read=lambda: lines[:1]), asked(1, 0), replace(asked(0, 1), read=lambda: lines[1:])]
    merged = merge_views(views)
    assert merged.read is not None and merged.read() == lines
    assert merge_views(views[1:2] * 2).read is None


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from(sorted(RANKINGS)), st.integers(0, 12))
def test_single_object_equals_search(numpy_gallery, seed, ranking, top):
    rng = np.random.default_rng(seed)
    gallery, query = (
        numpy_gallery(unit(rng.normal(size=(20, 4))), np.repeat(np.arange(10), 2)),
        asked(*rng.normal(size=4)),
    )
    assert search_multiple([query], [], gallery, ranking, top) == search(query, gallery, ranking, top)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(sorted(RANKINGS)), st.integers(1, 3))
def test_image_scores_as_its_weakest_object(numpy_gallery, seed, ranking, objects):
    rng = np.random.default_rng(seed)
    gallery = numpy_gallery(unit(rng.normal(size=(40, 4)) + 0.3), np.repeat(np.arange(20), 2))
    queries = [asked(*(rng.normal(size=4) + 0.5)) for _ in range(objects)]
    everything = search_multiple(queries, [], gallery, ranking, 0)
    assert sorted(names(everything)) == [f"{n:05d}" for n in range(20)]
    assert search_multiple(queries, [], gallery, ranking, 7) == everything[:7]
    assert [hit.score for hit in everything] == sorted((hit.score for hit in everything), reverse=True)
    figures = [hit.match for hit in everything]
    assert figures == sorted(figures, reverse=True)
    if objects == 1:
        return
    alone = [{hit.image: hit for hit in search(query, gallery, ranking, 0)} for query in queries]
    for found in everything:
        each = [hits[found.image] for hits in alone]
        assert found.similarity == min(hit.similarity for hit in each)
        assert found.match <= min(hit.match for hit in each)
        assert found.confidence == confidence_of(found.match, gallery.background.certain)
        assert [found.region, *found.others] == [hit.region for hit in each]
        shares = [hit.score / max(h.score for h in hits.values()) for hit, hits in zip(each, alone, strict=True)]
        assert found.score == pytest.approx(min(shares))
        assert [found.parts[f"object {n}"] for n in range(1, objects + 1)] == pytest.approx(shares)
        assert len(found.parts) == objects
        assert found.verified == all(hit.verified for hit in each)


def test_image_with_both_objects_beats_a_certain_match_of_one(numpy_gallery):
    a, b = np.eye(3, dtype=np.float32)[:2]
    rows = np.stack([a, [0, 0.1, 1], b, [0.1, 0, 1], [0.7, 0.1, 0.7], [0.1, 0.6, 0.7]])
    gallery = numpy_gallery(unit(rows), np.array([0, 0, 1, 1, 2, 2]))
    first, *_ = search_multiple([asked(*a), asked(*b)], [], gallery, "fast", 3)
    assert first.image == "00002" and [first.region.box.x0, first.others[0].box.x0] == [4, 5]


def test_scores_are_relative_to_the_best_of_each_object(rankings):
    queries = rankings(
        cup=[hit("x", 0.9), hit("y", 0.5), hit("z", 0.1)], pen=[hit("y", 0.3), hit("x", 0.1), hit("z", 0)]
    )
    hits = search_multiple(queries, [], None, "fast", 10)
    assert names(hits) == ["y", "x", "z"]  # 5/9 and 1, 1 and 3/9; by the bare scores x would tie with z
    assert [hit.score for hit in hits] == pytest.approx([5 / 9, 1 / 3, 0])


def test_the_figure_is_that_of_the_weakest_object_and_never_rises(rankings):
    queries = rankings(
        cup=[hit("x", 0.9, match=98), hit("y", 0.5, match=97), hit("z", 0.1, match=96)],
        pen=[hit("y", 0.3, match=60), hit("x", 0.1, match=40), hit("z", 0, match=40)],
    )
    hits = search_multiple(queries, [], None, "fast", 10)
    assert [(hit.image, hit.match, hit.confidence) for hit in hits] == [
        ("y", 60, "possible"),
        ("x", 40, "unlikely"),
        ("z", 40, "unlikely"),
    ]


def test_ties_are_ordered_by_sum_then_id(rankings):
    queries = rankings(
        cup=[hit("c", 1.0), hit("d", 0.8), hit("b", 0.5), hit("a", 0.5)],
        pen=[hit("d", 1.0), hit("a", 0.6), hit("b", 0.6), hit("c", 0.5)],
    )
    assert names(search_multiple(queries, [], None, "fast", 0)) == ["d", "c", "a", "b"]


@pytest.mark.parametrize("best", [-0.2, 0.0])
def test_object_with_negative_scores_keeps_the_order(rankings, best):
    queries = rankings(cup=[hit("x", 0.9), hit("y", 0.8)], pen=[hit("y", best), hit("x", -0.5)])
    assert names(search_multiple(queries, [], None, "fast", 0)) == ["y", "x"]


def test_image_outside_a_shortlist_gets_its_last_score(numpy_gallery, monkeypatch):
    monkeypatch.setattr(multi_object, "SHORTLIST", 3)
    rng = np.random.default_rng(1)
    gallery = numpy_gallery(
        unit(rng.normal(size=(20, 4))), np.repeat(np.arange(10), 2), background=BackgroundScores(0.5, 0.1)
    )
    queries = [asked(1, 0, 0, 0), asked(-1, 0.2, 0, 0)]
    hits = search_multiple(queries, [], gallery, "fast", 3)
    alone = [search(query, gallery, "fast", 3) for query in queries]
    assert not set(names(alone[0])) & set(names(alone[1])) and len(hits) == 3
    for found in hits:
        number = int(found.image)
        rows, similarities = zip(*(best_region_of(number, q.descriptor, gallery) for q in queries), strict=True)
        assert [found.region.box.x0, found.others[0].box.x0] == list(rows)
        assert found.similarity == pytest.approx(min(similarities))
        absent = [n for n, found_alone in enumerate(alone) if found.image not in names(found_alone)]
        last = alone[absent[0]][-1].score / alone[absent[0]][0].score
        assert found.parts[f"object {absent[0] + 1}"] == pytest.approx(last)


@pytest.mark.parametrize(
    ("unwanted", "kept"),
    [
        (hit("x", 0.9, RIGHT, "likely"), False),  # another object
        (hit("x", 0.9, RIGHT, "possible"), True),  # not certain
        (hit("x", 0.4, LEFT, "likely"), True),  # same place, and the wanted object is stronger
        (hit("x", 0.6, LEFT, "unlikely"), False),  # same place, and the unwanted object is stronger
        (hit("x", 0.4, LEFT, "likely", "verified"), False),  # verified
        (hit("x", 9.0, LEFT, "likely", similarity=0.4), True),  # decided by similarity, not by score
        (hit("x", 0.9, Box(0, 0, 100, 51), "unlikely"), False),  # overlap above one half
        (hit("x", 0.9, Box(0, 0, 100, 49), "unlikely"), True),
        (hit("elsewhere", 0.9, LEFT, "likely"), True),
    ],
)
def test_images_with_an_unwanted_object_are_excluded(rankings, unwanted, kept):
    cup, pen = rankings(cup=[hit("w", 0.7, RIGHT), hit("x", 0.5, LEFT)], pen=[unwanted])
    hits = search_multiple([cup], [pen], None, "fast", 10)
    assert names(hits) == (["w", "x"] if kept else ["w"])
    assert hits[0] == hit("w", 0.7, RIGHT)  # otherwise nothing changes


def test_verified_wanted_object_outweighs_an_unwanted_one(rankings):
    cup, pen = rankings(cup=[hit("x", 0.5, kind="verified")], pen=[hit("x", 0.6)])
    assert names(search_multiple([cup], [pen], None, "fast", 10)) == ["x"]


def test_strongest_wanted_object_decides_about_a_region(rankings):
    cup, pen, hat = rankings(
        cup=[hit("x", 0.9, LEFT), hit("y", 0.8, LEFT), hit("z", 0.3, LEFT)],
        pen=[hit("x", 0.5, LEFT), hit("y", 0.4, RIGHT), hit("z", 0.3, RIGHT)],
        hat=[hit("x", 0.7, LEFT), hit("y", 0.6, RIGHT), hit("z", 0.1)],
    )
    assert names(search_multiple([cup, pen], [hat], None, "fast", 2)) == ["x", "z"]


@pytest.mark.parametrize("ranking", RANKINGS)
def test_results_are_deterministic_for_any_order_of_further_objects(numpy_gallery, ranking):
    rng = np.random.default_rng(3)
    gallery = numpy_gallery(unit(rng.normal(size=(60, 4)) + 0.2), np.repeat(np.arange(30), 2))
    a, b, c = (asked(*(rng.normal(size=4) + 0.5)) for _ in range(3))
    once, twice = (search_multiple([a, b], [c], gallery, ranking, 10) for _ in range(2))
    assert once == twice and len(once) == 10
    turned = search_multiple([b, a], [c], gallery, ranking, 10)
    assert [(hit.image, hit.score, {hit.region, *hit.others}) for hit in turned] == [
        (hit.image, hit.score, {hit.region, *hit.others}) for hit in once
    ]
