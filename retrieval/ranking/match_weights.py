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
            "constant": -5.427,
            "expansion": 3.890,
            "diffusion": 2.244,
            "text": 0.677,
            "rarity": 1.297,
            "verified": 1.805,
            "rarity of a match": 0.000,
            "inliers": 0.000,
            "cover": 0.000,
            "alike": 0.430,
            "unlike": 0.166,
        },
        answer={
            "constant": 0.044,
            "hit": 0.985,
            "first five": 0.280,
            "no sisters": 1.015,
        },
    ),
}
