"""The rankings `fast` (one vector search) and `best` (re-ranking that never drops an image)."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval import best_ranking as module
from retrieval.best_ranking import METHODS, best
from retrieval.errors import UnknownName
from retrieval.ranking import matching
from retrieval.ranking.confidence import BackgroundScores, confidence_of
from retrieval.ranking.expansion import expand, expand_with
from retrieval.ranking.keypoints import find_keypoints
from retrieval.ranking.match_figure import rarity
from retrieval.ranking.region_search import best_region_of, nearest_images
from retrieval.ranking.text_agreement import CERTAIN, FULL, WEIGHT
from retrieval.ranking.verification import CERTAIN_INLIERS, MIN_INLIERS, NO_EVIDENCE, Evidence, verification_score
from retrieval.search import BASELINES, RANKINGS, search
from retrieval.types import Box, Hit, Query, WrittenLine, WrittenMatch, unit

FLAT = np.zeros((64, 64, 3), np.uint8)


def asked(descriptor: np.ndarray, crop: np.ndarray = FLAT) -> Query:
    return Query((crop,), descriptor)


def says(*texts: str) -> list[WrittenLine]:
    return [WrittenLine(text, Box(2, 2, 3, 3), 1.0) for text in texts]


def ranked(hits: list[Hit]) -> list[tuple]:
    """Hits without their similarity, which depends on `top` beyond the shortlist."""
    return [(hit.image, hit.region, hit.score, dict(hit.parts)) for hit in hits]


def drawn_gallery(numpy_gallery, seed: int, images: int, **more):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 5, images)
    vectors = unit(rng.normal(size=(counts.sum(), 5)) + 0.4)
    query = unit(rng.normal(size=5) + 0.4)
    query.setflags(write=False)
    return numpy_gallery(vectors, np.repeat(np.arange(images), counts), **more), query


def blocks(seed: int, width: int = 240, height: int = 208) -> np.ndarray:
    """An image with very many corners."""
    colours = np.random.default_rng(seed).integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    return colours.repeat(16, axis=0).repeat(16, axis=1)


def showing(crop: np.ndarray, x: int, y: int, seed: int) -> np.ndarray:
    picture = blocks(seed, 640, 480)
    picture[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    return picture


@pytest.fixture
def verified(monkeypatch):
    """Fake verification with inliers by image number. Returns the candidates of each call."""
    asked_for: list[list[int]] = []

    def by(inliers: dict[int, int]) -> list[list[int]]:
        def fake(query, size, candidates, read, pairs):
            asked_for.append(list(candidates))
            found = [inliers.get(image, 0) for image in candidates]
            return [Evidence(n, Box(1, 2, 3, 4)) if n >= MIN_INLIERS else NO_EVIDENCE for n in found]

        monkeypatch.setattr(matching, "verify_all", fake)
        return asked_for

    return by


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(0, 60))
def test_fast_is_the_nearest_images(random_gallery, seed, images, top):
    gallery, query = random_gallery(seed, images, 9)
    nearest = nearest_images(query, gallery, top)
    hits = search(asked(query), gallery, "fast", top)
    assert [(hit.image, hit.region.box.x0, hit.score) for hit in hits] == [
        (f"{image:05d}", row, score)
        for image, row, score in zip(nearest.images, nearest.rows, nearest.scores, strict=True)
    ]
    for hit in hits:
        assert hit.similarity == hit.score and hit.parts == {"similarity": hit.score}
        assert hit.evidence["rarity"] == rarity(hit.score, gallery.background.expected(hit.score, images))
    assert gallery.read == []
    assert hits == search(asked(query), gallery, top=top)  # `fast` is the default


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 45))
def test_best_ranks_every_image_once_and_fewer_are_a_prefix(numpy_gallery, seed, images, top):
    gallery, query = drawn_gallery(numpy_gallery, seed, images)
    everything = search(asked(query), gallery, "best", 0)
    assert sorted(hit.image for hit in everything) == [f"{n:05d}" for n in range(images)]
    assert ranked(search(asked(query), gallery, "best", top)) == ranked(everything[:top])
    scores = np.array([hit.score for hit in everything])
    assert np.diff(scores, prepend=scores[0]).max() < 1e-6  # descending up to float32 rounding


@settings(max_examples=12)
@given(st.integers(0, 10**6), st.integers(1, 60))
def test_fewer_are_a_prefix_beyond_the_shortlist(numpy_gallery, seed, top):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHORTLIST", 12)
        patch.setattr(module, "VERIFICATION_CANDIDATES", 5)
        gallery, query = drawn_gallery(numpy_gallery, seed, 60)
        everything = search(asked(query), gallery, "best", 0)
        assert len(everything) == 60
        assert ranked(search(asked(query), gallery, "best", top)) == ranked(everything[:top])


def test_score_is_the_sum_of_its_parts(numpy_gallery, verified):
    verified({n: n for n in range(0, 30, 3)})
    gallery, query = drawn_gallery(numpy_gallery, 1, 30)
    hits = search(asked(query), gallery, "best", 0)
    for hit in hits:
        assert hit.score == sum(hit.parts.values())
        assert list(hit.parts) == ["expansion", "diffusion", "lead", "verification", "appearance", "text"]
        inliers = int(hit.image) if int(hit.image) % 3 == 0 else 0
        lifted = 1 + max(map(unverified, hits)) - unverified(hit)
        assert hit.parts["verification"] == pytest.approx(verification_score(inliers) * lifted, abs=1e-5)
    assert {hit.parts["verification"] > 0 for hit in hits} == {True, False}
    assert max(hit.parts["diffusion"] for hit in hits) == pytest.approx(0.1 * np.log1p(1e5), abs=1e-3)


def unverified(hit: Hit) -> float:
    return hit.parts["expansion"] + hit.parts["diffusion"]


def test_similarity_is_the_same_in_every_ranking(numpy_gallery):
    for seed in range(10):
        gallery, query = drawn_gallery(numpy_gallery, seed, 30)
        by_fast, by_best = (
            {hit.image: hit.similarity for hit in search(asked(query), gallery, ranking, 0)} for ranking in RANKINGS
        )
        assert by_best == pytest.approx(by_fast, abs=1e-6)


def test_diffusion_reaches_indirect_neighbours(numpy_gallery, monkeypatch):
    """The query resembles one end of a chain of views. The other end is no nearer to it than unrelated images."""
    turn = np.deg2rad(np.arange(0, 91, 10))
    chain = np.stack([np.cos(turn), np.sin(turn), 0 * turn, 0 * turn], axis=1)
    unrelated = unit(np.abs(np.random.default_rng(0).normal(size=(20, 2))) + 1)
    others = np.concatenate([np.full((20, 1), 0.05), np.full((20, 1), 0.05), unrelated], axis=1)
    gallery = numpy_gallery(unit(np.concatenate([chain, others])), np.arange(30))
    query = asked(np.eye(4, dtype=np.float32)[0])
    place = {
        ranking: [hit.image for hit in search(query, gallery, ranking, 0)].index("00009")
        for ranking in ("fast", "best")
    }
    assert place["fast"] > 20 and place["best"] < 10


def test_verification_raises_scores_and_lowers_none(numpy_gallery, verified):
    gallery, query = drawn_gallery(
        numpy_gallery, 3, 40, background=BackgroundScores(5, 0.01)
    )  # similarity alone is never enough
    verified({})
    before = {hit.image: hit for hit in search(asked(query), gallery, "best", 0)}
    best_score = next(iter(before.values())).score
    lifted = [image for image, hit in before.items() if hit.score + 1 > best_score + 0.01][-1]
    assert list(before).index(lifted) > 5
    verified({int(lifted): 16})
    after = search(asked(query), gallery, "best", 0)
    assert after[0].image == lifted and after[0].parts["verification"] >= 1
    assert after[0].parts["expansion"] > before[lifted].parts["expansion"]  # the query has moved towards it
    assert (after[0].region.kind, after[0].region.box) == ("verified", Box(1, 2, 3, 4))
    assert after[0].match > 50 > before[lifted].match
    assert after[0].similarity == pytest.approx(before[lifted].similarity, abs=1e-6)
    assert {hit.image for hit in after} == before.keys()


def test_verified_images_join_the_query(numpy_gallery, verified, monkeypatch):
    monkeypatch.setattr(module, "EXPANSION_IMAGES", 2)
    gallery, query = drawn_gallery(numpy_gallery, 4, 30)
    calls = verified({3: MIN_INLIERS, 11: 20, 17: CERTAIN_INLIERS, 20: MIN_INLIERS - 1})
    hits = search(asked(query), gallery, "best", 0)
    joining = [image for image in calls[0] if image in (3, 11, 17)][:2]  # the best so far
    expanded = expand(query, gallery)
    rows = [best_region_of(image, expanded, gallery)[0] for image in joining]
    joined = expand_with(query, gallery.region_vectors[rows], gallery)
    diffused = dict(zip(range(30), module._diffusion(joined, gallery, np.arange(30)), strict=True))
    for hit in hits:
        number = int(hit.image)
        row, similarity = best_region_of(number, joined, gallery)
        assert hit.parts["expansion"] == pytest.approx(similarity, abs=1e-6)
        assert hit.parts["diffusion"] == pytest.approx(diffused[number], abs=1e-5)
        assert hit.region.kind == "verified" or hit.region.box.x0 == row
    verified({20: MIN_INLIERS - 1})
    untouched = search(asked(query), gallery, "best", 0)
    assert {h.image: h.parts["expansion"] for h in untouched} != {h.image: h.parts["expansion"] for h in hits}


def test_image_similar_to_a_verified_one_is_found(numpy_gallery, verified):
    turn = np.deg2rad([0, 50, 95])
    views = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    unrelated = unit(np.stack([np.full(20, 0.5), -np.ones(20), np.linspace(-1, 1, 20)], axis=1))
    gallery = numpy_gallery(unit(np.concatenate([views, unrelated])), np.arange(23))
    query = asked(np.eye(3, dtype=np.float32)[0])
    places = []
    for inliers in ({}, {1: 20}):
        verified(inliers)
        places.append([hit.image for hit in best(query, gallery, 0, METHODS - {"diffusion"})].index("00002"))
    assert places[1] == 2 < places[0]


def test_view_with_the_most_inliers_counts(numpy_gallery, monkeypatch):
    gallery, query = drawn_gallery(numpy_gallery, 5, 12, background=BackgroundScores(5, 0.01))
    views = tuple(np.zeros((20, width, 3), np.uint8) for width in (30, 40, 50))
    inliers = ({3: 7, 4: 20}, {3: 12, 5: 8}, {3: 12, 4: 9})
    given: list[float] = []

    def fake(query, size, candidates, read, pairs):
        given.append(pairs)
        view = next(n for n, known in enumerate(views) if (known.shape[1], known.shape[0]) == size)
        found = [inliers[view].get(image, 0) for image in candidates]
        return [Evidence(n, Box(view, 0, 9, 9)) if n else NO_EVIDENCE for n in found]

    monkeypatch.setattr(matching, "verify_all", fake)
    monkeypatch.setattr(module, "PAIRS_BUDGET", 2400)
    monkeypatch.setattr(module, "MATCHED_VIEWS", 0)
    hits = {int(hit.image): hit for hit in search(Query(views, query), gallery, "best", 0)}
    assert {n: hit.region.box for n, hit in hits.items() if hit.verified} == {3: Box(1, 0, 9, 9), 4: Box(0, 0, 9, 9)}
    highest = max(map(unverified, hits.values()))
    shares = {n: hit.parts["verification"] / (1 + highest - unverified(hit)) for n, hit in hits.items()}
    expected = {3: verification_score(12), 4: 1, 5: verification_score(8)}
    assert shares == pytest.approx(dict.fromkeys(hits, 0) | expected, abs=1e-5)
    assert given == 2 * [200, 200, 200]  # and the mirrored views


def test_figure_and_region_depend_on_the_inliers(numpy_gallery, verified):
    gallery, query = drawn_gallery(numpy_gallery, 3, 40, background=BackgroundScores(5, 0.01))
    figures = []
    for inliers in (0, MIN_INLIERS, CERTAIN_INLIERS - 1, CERTAIN_INLIERS, 40):
        verified({7: inliers})
        (hit,) = (hit for hit in search(asked(query), gallery, "best", 0) if int(hit.image) == 7)
        assert hit.region.kind == ("verified" if inliers >= CERTAIN_INLIERS else "grid")
        figures.append(hit.match)
    assert figures == sorted(figures) and figures[0] < 50 < figures[-1]


@given(st.integers(0, 10**6), st.dictionaries(st.integers(0, 29), st.integers(0, MIN_INLIERS - 1)))
def test_too_few_inliers_change_nothing(numpy_gallery, seed, inliers):
    gallery, query = drawn_gallery(numpy_gallery, seed % 20, 30)
    assert verified_scores(gallery, query, inliers) == verified_scores(gallery, query, {})


@given(st.integers(0, 10**6), st.dictionaries(st.integers(0, 29), st.integers(MIN_INLIERS, 40), min_size=1))
def test_verification_raises_verified_images_and_loses_none(numpy_gallery, seed, inliers):
    gallery, query = drawn_gallery(numpy_gallery, seed % 20, 30)
    before, after = verified_scores(gallery, query, {}), verified_scores(gallery, query, inliers)
    assert before.keys() == after.keys()
    proven = [f"{image:05d}" for image in inliers]
    assert sum(after[image] - before[image] for image in proven) > 0


def verified_scores(gallery, query, inliers: dict[int, int]) -> dict[str, float]:
    """The scores of all images by image number, for given inlier counts."""

    def found(query, size, images, read, pairs):
        counts = [inliers.get(image, 0) for image in images]
        return [Evidence(n, Box(1, 2, 3, 4)) if n >= MIN_INLIERS else NO_EVIDENCE for n in counts]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "verify_all", found)
        return {hit.image: hit.score for hit in search(asked(query), gallery, "best", 0)}


def test_object_is_found_and_outlined(numpy_gallery, monkeypatch):
    crop = blocks(1)
    looks = {n: (find_keypoints(blocks(100 + n, 640, 480)), (640, 480)) for n in range(5)}
    looks[7] = find_keypoints(showing(crop, 200, 120, 50)), (640, 480)
    alike = np.array([[np.cos(turn), np.sin(turn)] for turn in 0.3 + np.arange(8) / 20], np.float32)
    gallery, query = (
        numpy_gallery(alike, np.arange(8), looks=looks, background=BackgroundScores(5, 0.01)),
        np.array([1, 0], np.float32),
    )
    assert search(asked(query), gallery, "best", 0)[0].image != "00007"
    gallery.read.clear()
    first, *others = search(asked(query, crop), gallery, "best", 0)
    assert (first.image, first.region.kind) == ("00007", "verified") and first.match > 50
    assert first.region.box.xywh == pytest.approx((200, 120, 240, 208), abs=6)
    assert set(gallery.read) == set(range(8))
    assert len(others) == 7 and all(hit.parts["verification"] == 0 and hit.match < first.match for hit in others)


def reading(numpy_gallery, lines: dict[int, list[WrittenLine]], rarity: float, **more):
    """A drawn gallery of 30 images with these lines, in which every word has this rarity."""
    gallery, query = drawn_gallery(numpy_gallery, 3, 30, lines=lines, **more)
    found = gallery.find_written

    def find_written(sought, most):
        return {
            image: [WrittenMatch(match.sought, match.line, 1.0, rarity) for match in matches]
            for image, matches in found(sought, most).items()
        }

    gallery.find_written = find_written
    return gallery, query


def test_images_with_the_words_of_the_crop_rise(numpy_gallery, verified):
    verified({})
    gallery, query = drawn_gallery(numpy_gallery, 3, 30)
    last = int(search(asked(query), gallery, "best", 0)[-1].image)
    gallery, query = reading(numpy_gallery, {last: says("acme", "other"), 4: says("other")}, CERTAIN)
    before = {hit.image: hit for hit in search(asked(query), gallery, "best", 0)}
    words = Query((FLAT,), query, lambda: says("ACME"))
    after = {hit.image: hit for hit in search(words, gallery, "best", 0)}
    found = after[f"{last:05d}"]
    assert found.parts["text"] == pytest.approx(WEIGHT * CERTAIN / FULL)
    assert [line.text for line in found.same_text] == ["acme"]
    assert found.parts["expansion"] > before[found.image].parts["expansion"]  # it has joined the query
    assert all(hit.parts["text"] == 0 and not hit.same_text for hit in after.values() if hit is not found)
    assert list(after).index(found.image) < list(before).index(found.image) == 29


def test_an_image_found_only_by_text_is_verified(numpy_gallery, verified, monkeypatch):
    monkeypatch.setattr(module, "SHORTLIST", 5)
    monkeypatch.setattr(module, "FIRST_CANDIDATES", 4)
    gallery, query = reading(numpy_gallery, {}, CERTAIN)
    calls = verified({})
    search(asked(query), gallery, "best", 0)
    beyond = next(image for image in range(30) if not any(image in call for call in calls))
    gallery.lines[beyond] = says("acme")
    for top in (0, 3):
        calls.clear()
        search(Query((FLAT,), query, lambda: says("acme")), gallery, "best", top)
        assert any(beyond in call for call in calls)


def test_words_on_the_verified_object_are_words_of_the_query(numpy_gallery, verified):
    """The crop says nothing, two verified images say the same inside the box, and a fourth image says it too."""
    lines = {n: [*says("acme"), WrittenLine("exit", Box(50, 50, 60, 60), 1.0)] for n in (3, 11)}
    gallery, query = reading(numpy_gallery, {**lines, 17: says("acme"), 18: says("exit")}, CERTAIN)
    verified({3: 20, 11: 20})
    silent = Query((FLAT,), query, lambda: [])
    parts = {int(hit.image): hit.parts["text"] for hit in search(silent, gallery, "best", 0)}
    assert {n for n, part in parts.items() if part} == {3, 11, 17}
    verified({3: 20})
    assert not any(hit.parts["text"] for hit in search(silent, gallery, "best", 0))  # one image may be wrong


def test_words_on_matches_that_are_found_later_count_too(numpy_gallery, verified, monkeypatch):
    """The first candidates are no matches, and the crop says nothing."""
    monkeypatch.setattr(module, "FIRST_CANDIDATES", 4)
    gallery, query = reading(numpy_gallery, {29: says("acme")}, CERTAIN)
    calls = verified({})
    silent = Query((FLAT,), query, lambda: [])
    search(silent, gallery, "best", 0)
    later = [image for image in calls[-1] if image not in calls[0] and image != 29][:2]
    gallery.lines |= {image: says("acme") for image in later}
    verified(dict.fromkeys(later, 20))
    parts = {int(hit.image): hit.parts["text"] for hit in search(silent, gallery, "best", 0)}
    assert len(later) == 2 and {n for n, part in parts.items() if part} == {*later, 29}


def test_an_image_like_a_match_is_found_by_the_view_of_the_match(numpy_gallery, monkeypatch):
    """The other side of an object: image 11 shows both sides, so the crop of one side leads to image 17."""
    monkeypatch.setattr(module, "FIRST_CANDIDATES", 30)
    front, back = blocks(1, 160, 208), blocks(2, 240, 208)
    whole = blocks(50, 640, 480)
    whole[120:328, 200:360], whole[120:328, 360:600] = front, back
    looks = {11: (find_keypoints(whole), (640, 480)), 17: (find_keypoints(showing(back, 200, 120, 51)), (640, 480))}
    gallery, query = drawn_gallery(numpy_gallery, 3, 30, looks=looks)
    evidence = matching.Matcher([matching.view_of(front)], gallery, by_appearance=False).match([11, 17])
    assert evidence.keys() == {11} and evidence[11].evidence.inliers >= module.MATCHED_INLIERS
    hits = {int(hit.image): hit for hit in search(asked(query, whole[120:328, 200:420]), gallery, "best", 0)}
    assert hits[11].verified and hits[17].parts["verification"] > 0


def test_colours_break_ties_without_geometry(numpy_gallery, verified):
    """Of two pictures with the same descriptor, the one with the colours of the crop is first."""
    verified({})
    vectors = unit(np.array([[1, 0], [0.9, 0.1], [0.9, 0.1], [0, 1]]))
    for red in (1, 2):
        gallery = numpy_gallery(vectors, np.arange(4), colours={red: (200, 30, 30), 3 - red: (30, 30, 200)})
        crop = np.full((40, 40, 3), (180, 20, 20), np.uint8)
        hits = {int(hit.image): hit for hit in search(asked(vectors[0], crop), gallery, "best", 0)}
        assert hits[red].parts["appearance"] > hits[3 - red].parts["appearance"] == 0
        assert list(hits).index(red) < list(hits).index(3 - red)


def test_the_crop_is_read_only_by_best_and_only_if_the_gallery_has_text(numpy_gallery, verified):
    verified({})

    def refuse() -> list[WrittenLine]:
        raise AssertionError("nothing to read")

    gallery, query = reading(numpy_gallery, {}, CERTAIN)
    search(Query((FLAT,), query, refuse), gallery, "best", 0)
    gallery.lines[3] = says("acme")
    search(Query((FLAT,), query, refuse), gallery, "fast", 0)
    best(Query((FLAT,), query, refuse), gallery, 0, METHODS - {"text"})
    with pytest.raises(AssertionError, match="nothing to read"):
        search(Query((FLAT,), query, refuse), gallery, "best", 0)


def test_the_crop_is_not_read_if_enough_matches_are_certain(numpy_gallery, verified, monkeypatch):
    monkeypatch.setattr(module, "FEW_MATCHES", 2)
    gallery, query = reading(numpy_gallery, {3: says("acme")}, CERTAIN)
    asked_for: list[int] = []

    def read() -> list[WrittenLine]:
        asked_for.append(1)
        return []

    for inliers, reads in (({3: 20, 11: 20}, 0), ({3: 20}, 1), ({3: 20, 11: 7}, 1)):
        asked_for.clear()
        verified(inliers)
        search(Query((FLAT,), query, read), gallery, "best", 0)
        assert len(asked_for) == reads


def test_r72_nothing_that_ranks_or_describes_reads_a_clock():
    for file in Path(module.__file__).parent.rglob("*.py"):
        read = re.search(
            r"^\s*(import|from) (time|random)\b|\.(now|today|utcnow)\(", file.read_text(encoding="utf-8"), re.M
        )
        assert not read, file


def test_the_nearest_and_the_top_images_are_verified_then_the_next(numpy_gallery, verified, monkeypatch):
    monkeypatch.setattr(module, "FIRST_CANDIDATES", 6)
    monkeypatch.setattr(module, "VERIFICATION_CANDIDATES", 10)
    monkeypatch.setattr(module, "MIRRORED_CANDIDATES", 2)
    gallery, query = drawn_gallery(numpy_gallery, 5, 20)
    calls = verified({})
    hits = sorted(best(asked(query), gallery, 0), key=lambda hit: hit.parts["lead"] - hit.score)
    top = [int(hit.image) for hit in hits]
    nearest = nearest_images(query, gallery, 6).images.tolist()
    expanded = [int(hit.image) for hit in sorted(hits, key=lambda hit: -hit.parts["expansion"])]
    first, mirrored, more = calls
    assert first[0] == nearest[0] and first == list(dict.fromkeys(np.ravel([nearest, expanded[:6]], "F").tolist()))[:6]
    assert mirrored == first[:2]
    assert more == [image for image in top if image not in first][:4]


def test_images_beyond_the_shortlist_follow_in_the_order_of_the_expanded_query(numpy_gallery, verified, monkeypatch):
    monkeypatch.setattr(module, "SHORTLIST", 10)
    monkeypatch.setattr(module, "VERIFICATION_CANDIDATES", 4)
    gallery, query = drawn_gallery(numpy_gallery, 6, 40)
    verified({})
    hits = search(asked(query), gallery, "best", 0)
    expanded = nearest_images(expand(query, gallery), gallery, 0)
    assert [hit.image for hit in hits[10:]] == [f"{image:05d}" for image in expanded.images[10:]]
    assert {hit.image for hit in hits[:10]} == {f"{image:05d}" for image in expanded.images[:10]}
    assert all(
        hit.parts["diffusion"] == 0 and hit.score == hit.parts["expansion"] + hit.parts["lead"] for hit in hits[10:]
    )
    assert all(hit.parts["diffusion"] > 0 for hit in hits[:10])


def test_a_verified_image_beyond_the_shortlist_is_found(numpy_gallery, verified, monkeypatch):
    monkeypatch.setattr(module, "SHORTLIST", 3)
    gallery, query = drawn_gallery(numpy_gallery, 6, 40)
    verified({})
    last = int(best(asked(query), gallery, 0)[20].image)
    assert last in nearest_images(query, gallery, 60).images
    verified({last: 20})
    everything = best(asked(query), gallery, 0)
    assert int(everything[0].image) == last
    assert ranked(best(asked(query), gallery, 5)) == ranked(everything[:5])


def test_the_nearest_image_by_far_stays_before_a_group_of_similar_ones(numpy_gallery, verified):
    """Ten images resemble each other more than the query resembles any of them."""
    rng = np.random.default_rng(2)
    group = unit(np.array([0.5, 0.8, 0, 0]) + rng.normal(0, 0.02, (10, 4)))
    others = unit(rng.normal(size=(20, 4)) * (0.1, 0.3, 1, 1))
    gallery = numpy_gallery(unit(np.concatenate([[[0.8, 0, 0.6, 0]], group, others])), np.arange(31))
    verified({})
    query = asked(np.eye(4, dtype=np.float32)[0])
    first = best(query, gallery, 0)[0]
    assert first.image == "00000" and first.parts["lead"] > 0.2
    others_first = sorted(best(query, gallery, 0), key=lambda hit: hit.parts["lead"] - hit.score)
    assert others_first[0].image != "00000"


def test_a_copy_of_the_query_has_the_highest_score(numpy_gallery, verified):
    gallery, _ = drawn_gallery(numpy_gallery, 12, 30)
    copied = gallery.region_vectors[40].copy()
    owner = f"{gallery.images[40]:05d}"
    verified({int(owner): 20, 3: 20})
    first, second = best(asked(copied), gallery, 2)
    assert first.image == owner and first.score > second.score + 0.1 and first.parts["lead"] > 1


def test_batches_stop_after_one_without_a_match(numpy_gallery, verified, monkeypatch):
    monkeypatch.setattr(module, "FIRST_CANDIDATES", 6)
    monkeypatch.setattr(matching, "BATCH", 4)
    monkeypatch.setattr(module, "MIRRORED_CANDIDATES", 0)
    monkeypatch.setattr(module, "MATCHED_VIEWS", 0)
    gallery, query = drawn_gallery(numpy_gallery, 5, 40)
    calls = verified({})
    best(asked(query), gallery, 0)
    assert [len(call) for call in calls] == [6, 4]
    second = calls[1][2]
    calls.clear()
    verified({second: 20})
    best(asked(query), gallery, 0)
    assert [len(call) for call in calls] == [6, 4, 4]


def test_gallery_with_regions_outside_the_graph(numpy_gallery, monkeypatch):
    from retrieval.ranking import diffusion

    monkeypatch.setattr(diffusion, "MAX_NODES", 30)
    gallery, query = drawn_gallery(numpy_gallery, 7, 30)
    assert len(gallery.graph.nodes) == 30 < gallery.region_count
    assert len({hit.image for hit in search(asked(query), gallery, "best", 0)}) == 30


@pytest.mark.parametrize("ranking", RANKINGS)
def test_query_with_negative_similarities_ranks_every_image(numpy_gallery, ranking):
    gallery = numpy_gallery(unit(np.random.default_rng(0).random((12, 4)) + 0.1), np.repeat(np.arange(6), 2))
    for descriptor in (np.full(4, -0.5, np.float32), np.zeros(4, np.float32)):
        hits = search(asked(descriptor), gallery, ranking, 0)
        assert len(hits) == 6 and all(np.isfinite(hit.score) and hit.confidence == "unlikely" for hit in hits)


@pytest.mark.parametrize("ranking", RANKINGS)
def test_search_is_deterministic(numpy_gallery, ranking):
    gallery, query = drawn_gallery(numpy_gallery, 8, 30)
    assert search(asked(query), gallery, ranking, 0) == search(asked(query), gallery, ranking, 0)


def test_unknown_ranking_lists_the_choices(numpy_gallery):
    gallery = numpy_gallery(np.ones((1, 1), np.float32), np.zeros(1, int))
    with pytest.raises(UnknownName, match="choose from: best, euclidean, fast, sift"):
        search(asked(np.ones(1, np.float32)), gallery, "fats")


def test_disabled_methods_add_no_part_and_leave_the_others_unchanged(numpy_gallery, verified):
    gallery, query = drawn_gallery(numpy_gallery, 9, 30)
    calls = verified({3: 16, 8: 9})
    parts = best(asked(query), gallery, 0)[0].parts
    assert parts.keys() == {"expansion", "diffusion", "lead", "verification", "appearance", "text"}
    calls.clear()
    without = best(asked(query), gallery, 0, {"expansion", "diffusion"})
    assert calls == [] and all(hit.region.kind == "grid" for hit in without)
    verified({})
    nothing_proven = {hit.image: hit.parts for hit in best(asked(query), gallery, 0, METHODS - {"appearance"})}
    assert all(hit.parts | {"verification": 0.0, "text": 0.0} == nothing_proven[hit.image] for hit in without)
    plain = best(asked(query), gallery, 0, set())
    assert [(hit.image, hit.score) for hit in plain] == [
        (hit.image, hit.score) for hit in search(asked(query), gallery, "fast", 0)
    ]


@pytest.mark.parametrize("ranking", [*RANKINGS, *BASELINES])
def test_figures_never_rise_down_the_list_and_do_not_depend_on_its_length(numpy_gallery, verified, ranking):
    for seed in range(5):
        gallery, query = drawn_gallery(numpy_gallery, seed, 30)
        verified({4: 40, 9: 12, 20: 7})
        everything = search(asked(query), gallery, ranking, 0)
        figures = [hit.match for hit in everything]
        assert figures == sorted(figures, reverse=True)
        assert [hit.confidence for hit in everything] == [confidence_of(figure, True) for figure in figures]
        assert [hit.match for hit in search(asked(query), gallery, ranking, 3)] == figures[:3]
