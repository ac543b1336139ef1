"""The weights of the match figure, written by `python -m benchmarks.fit_match`; do not edit."""

from retrieval.ranking.match_figure import Weights

WEIGHTS = {
    "fast": Weights(
        hit={
            "constant": -0.315,
            "rarity": 2.335,
        },
        answer={
            "constant": -0.125,
            "hit": 1.000,
            "first five": 0.068,
            "no sisters": 0.000,
        },
    ),
    "best": Weights(
        hit={
            "constant": -5.853,
            "expansion": 3.075,
            "diffusion": 3.181,
            "text": 3.346,
            "rarity": 1.487,
            "verified": 2.211,
            "rarity of a match": 0.000,
            "inliers": 0.000,
            "cover": 0.000,
            "alike": 0.368,
            "unlike": 0.159,
        },
        answer={
            "constant": -0.264,
            "hit": 0.985,
            "first five": 0.288,
            "no sisters": 0.900,
        },
    ),
}
