from boxfind.ui.search.ranking_choice import LABELS
from retrieval.search import RANKINGS


def test_every_ranking_can_be_chosen_and_no_other() -> None:
    assert set(LABELS) == set(RANKINGS)
