"""The weights of the match figure, written by `python -m benchmarks.fit_match`; do not edit."""

from retrieval.ranking.match_figure import Weights

WEIGHTS = {
    "fast": Weights(
        hit={
            "constant": -0.543,
            "rarity": 2.381,
        },
        answer={
            "constant": -0.321,
            "hit": 0.969,
            "first five": 0.112,
        },
    ),
    "best": Weights(
        hit={
            "constant": -5.479,
            "expansion": 1.712,
            "diffusion": 3.614,
            "text": 0.000,
            "rarity": 1.257,
            "verified": 3.579,
            "inliers": 1.145,
            "cover": 4.662,
            "alike": 0.144,
            "unlike": 0.091,
        },
        answer={
            "constant": -0.723,
            "hit": 0.956,
            "first five": 0.287,
        },
    ),
}
