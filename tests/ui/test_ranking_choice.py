from retrieval.search import RANKINGS
from ui.ranking_choice import LABELS


def test_every_ranking_can_be_chosen_and_no_other() -> None:
    assert set(LABELS) == set(RANKINGS)
