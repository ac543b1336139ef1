"""Check whether this program's descriptors are comparable with those of an index."""

from retrieval.descriptors.recipe import Recipe
from retrieval.networks.backbones import BACKBONES


def recipe_problem(recipe: Recipe) -> str:
    """Why an index with this recipe must be rebuilt, as a message; empty when it is compatible."""
    backbone = BACKBONES.get(recipe.backbone)
    if backbone is None:
        return f"The index was built with {recipe.backbone}, which this version does not include. Rebuild the index."
    if (recipe.weights_sha256, recipe.preprocessing) == (backbone.weights.sha256, backbone.preprocessing):
        return ""
    return (
        f"The index was built with {recipe.backbone} (weights {recipe.weights_sha256[:8]}, preprocessing "
        f"{recipe.preprocessing}); this program has weights {backbone.weights.sha256[:8]}, preprocessing "
        f"{backbone.preprocessing}. Rebuild the index."
    )
