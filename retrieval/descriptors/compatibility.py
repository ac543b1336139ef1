"""Whether this program can make descriptors that compare with those of an index."""

from retrieval.descriptors.recipe import Recipe
from retrieval.networks.backbones import BACKBONES


def recipe_problem(recipe: Recipe) -> str:
    """Why this program cannot make descriptors that compare with those of a recipe; empty when it can."""
    backbone = BACKBONES.get(recipe.backbone)
    if backbone is None:
        return f"The index was built with {recipe.backbone}, which this program does not have. Rebuild it."
    if (recipe.weights_sha256, recipe.preprocessing) == (backbone.weights.sha256, backbone.preprocessing):
        return ""
    return (
        f"The index was built with {recipe.backbone} (weights {recipe.weights_sha256[:8]}, preprocessing "
        f"{recipe.preprocessing}); this program has weights {backbone.weights.sha256[:8]}, preprocessing "
        f"{backbone.preprocessing}. Rebuild the index."
    )
