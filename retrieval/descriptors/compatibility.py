"""Check whether this program's descriptors are comparable with those of an index."""

from retrieval.descriptors.recipe import Recipe
from retrieval.errors import RuntimeMissing, UnknownName
from retrieval.networks.backbones import find_backbone


def recipe_problem(recipe: Recipe) -> str:
    """Why an index with this recipe cannot be used, as a message; empty when it is compatible."""
    try:
        backbone = find_backbone(recipe.backbone)
    except RuntimeMissing as problem:
        return str(problem)
    except UnknownName:
        return f"The index was built with {recipe.backbone}, which this version does not include. Rebuild the index."
    known = backbone.weights.sha256 or recipe.weights_sha256  # a missing file is another problem
    if (recipe.weights_sha256, recipe.preprocessing, recipe.stride) == (
        known,
        backbone.preprocessing,
        backbone.stride,
    ):
        return ""
    return (
        f"The index was built with {recipe.backbone} (weights {recipe.weights_sha256[:8]}, preprocessing "
        f"{recipe.preprocessing}); this program has weights {known[:8]}, preprocessing "
        f"{backbone.preprocessing}. Rebuild the index."
    )
