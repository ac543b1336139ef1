"""Every difference between two recipes is described."""

from dataclasses import fields, replace

import pytest

from retrieval.descriptors.recipe import Recipe, recipe_changes
from tests.tiny import TINY_RECIPE

OTHER = {
    "backbone": "resnet50",
    "weights_sha256": "1" * 64,
    "query_views": (0.64, 1.0),
    "regions": ("whole",),
    "detectors": ("2" * 64, ""),
    "pooling": "gem",
    "whitening": "none",
    "precision": "int8",
    "tiled_from": 2000,
}


def test_a_recipe_does_not_depend_on_the_revision_or_on_a_short_name():
    assert replace(TINY_RECIPE, revision="0" * 40) == TINY_RECIPE
    short, full = (replace(TINY_RECIPE, backbone=name) for name in ("resnet50", "torchvision:resnet50"))
    assert short == full and recipe_changes(short, full) == []


def test_equal_recipes_have_no_changes():
    assert recipe_changes(TINY_RECIPE, replace(TINY_RECIPE)) == []


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe) if field.compare])
def test_each_changed_field_is_named_once(name: str):
    value = OTHER.get(name) or getattr(TINY_RECIPE, name) / 2
    (change,) = recipe_changes(TINY_RECIPE, replace(TINY_RECIPE, **{name: value}))
    words, values = change.split(" changed from ")
    assert words and values.count(" to ") == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keypoints": 0}, ["keypoints changed from 500 to 0"]),
        ({"keypoints": 0, "side": 64}, ["image side changed from 128 to 64", "keypoints changed from 500 to 0"]),
        ({"weights_sha256": "ab" * 32}, ["backbone weights changed from 00000000 to abababab"]),
        ({"whitening": "cd" * 32}, ["whitening changed from learned to cdcdcdcd"]),
        (
            {"regions": ("whole", "sam", "grid"), "detectors": ("", "ef" * 32, "")},
            ["region sources changed from whole, grid to whole, sam, grid"],
        ),
        ({"detectors": ("", "ef" * 32)}, ["grid weights changed from none to efefefef"]),
    ],
)
def test_changes_state_old_and_new_values(changes: dict[str, object], words: list[str]):
    assert recipe_changes(TINY_RECIPE, replace(TINY_RECIPE, **changes)) == words


def test_keypoint_limit_of_an_old_index_is_unknown():
    (change,) = recipe_changes(replace(TINY_RECIPE, keypoints=None), TINY_RECIPE)
    assert change == "keypoints changed from an unknown number (index from an earlier version) to 500"
