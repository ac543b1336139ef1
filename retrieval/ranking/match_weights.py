"""The weights of the match figure, written by `python -m benchmarks.fit_match`; do not edit."""

from retrieval.ranking.match_figure import Weights

WEIGHTS = {
    "fast": Weights(
        hit={
            "constant": -0.796,
            "rarity": 2.092,
        },
        answer={
            "constant": -0.195,
            "hit": 0.978,
            "first five": 0.077,
            "no sisters": 0.000,
        },
    ),
    "best": Weights(
        hit={
            "constant": -5.924,
            "expansion": 2.661,
            "diffusion": 3.448,
            "text": 0.000,
            "rarity": 1.149,
            "verified": 2.971,
            "rarity of a match": 0.000,
            "inliers": 0.000,
            "cover": 0.000,
            "alike": 0.480,
            "unlike": 0.202,
        },
        answer={
            "constant": -0.450,
            "hit": 0.932,
            "first five": 0.322,
            "no sisters": 0.465,
        },
    ),
}
