from boxfind.ui.search.result_order import by_source, match_counts, matches_first, sections, stacked
from retrieval.types import Box, Confidence, Hit, Region


def hit(image: str, confidence: Confidence) -> Hit:
    return Hit(image, Region(Box(0, 0, 9, 9), "grid"), 1.0, 0.5, confidence)


A, B, C = hit("a", "unlikely"), hit("b", "possible"), hit("c", "likely")
D, E = hit("d", "uncertain"), hit("e", "likely")


def test_matches_come_first_and_keep_their_order() -> None:
    assert matches_first([A, B, D, C, E]) == [B, C, E, A, D]
    assert matches_first([A, D]) == [A, D]


def test_a_heading_divides_matches_from_the_others() -> None:
    assert sections([(1, B), (2, C), (3, A)]) == [("", [(1, B), (2, C)]), ("Less likely", [(3, A)])]
    assert sections([(1, B)]) == [("", [(1, B)])]
    assert sections([(1, A), (2, D)]) == [("Nearest look-alikes", [(1, A), (2, D)])]
    assert sections([]) == []


def test_the_results_of_a_file_are_together_and_keep_their_ranks() -> None:
    ranked = list(enumerate([A, B, C, D, E], start=1))
    files = by_source(ranked, lambda image: {"b": "film", "d": "film", "e": "film"}.get(image, image))
    assert files == [[(1, A)], [(2, B), (4, D), (5, E)], [(3, C)]]
    assert by_source([], str) == []


def test_near_copies_follow_the_best_of_them_and_keep_their_ranks() -> None:
    ranked = list(enumerate([A, B, C, D, E], start=1))
    found = stacked(ranked, [["b", "d", "e"], ["x", "c"]])
    assert [(rank, hit.image, stack) for (rank, hit), stack in found] == [
        (1, "a", ""),
        (2, "b", ""),
        (4, "d", "b"),
        (5, "e", "b"),
        (3, "c", ""),
    ]
    assert stacked(ranked, []) == [(result, "") for result in ranked]


def test_counts_name_the_matches_only() -> None:
    assert match_counts([C, E, B, A, D]) == "2 likely · 1 possible"
    assert match_counts([B, A]) == "1 possible"
    assert match_counts([A, D]) == match_counts([]) == ""
