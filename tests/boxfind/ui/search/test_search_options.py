from boxfind.ui.search.search_options import LABELS
from retrieval.search import RANKINGS


def test_every_ranking_can_be_chosen_and_no_other() -> None:
    assert set(LABELS) == set(RANKINGS)
