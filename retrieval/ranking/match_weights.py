"""The weights of the match figure, written by `python -m benchmarks.fit_match`; do not edit."""

from retrieval.ranking.match_figure import Weights

WEIGHTS = {
    "fast": Weights(
        hit={"constant": -1.0, "rarity": 1.7},
        answer={"constant": 0.0, "hit": 1.0},
    ),
    "best": Weights(
        hit={"constant": -1.0, "rarity": 1.7},
        answer={"constant": 0.0, "hit": 1.0},
    ),
}
