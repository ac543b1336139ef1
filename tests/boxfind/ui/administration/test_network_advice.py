"""The line on the Index page about a network that may find more."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from boxfind.ui.administration import network_advice
from boxfind.ui.administration.network_advice import PROMISING, advice
from retrieval.descriptors.recipe import Recipe
from retrieval.networks.backbones import AUTO, BUNDLED, PREFERRED
from tests.boxfind.ui.reading import calm, texts
from tests.tiny import TINY_RECIPE

SMALL = "timm:vit_small_patch16_dinov3.lvd1689m"
LARGE = "timm:vit_large_patch16_dinov3.lvd1689m"


def used(network: str) -> Recipe:
    return replace(TINY_RECIPE, backbone=network)


def test_the_most_promising_network_on_the_disk_is_named_with_the_command():
    sentence = advice(used(BUNDLED), BUNDLED, [BUNDLED, PREFERRED], "My pictures")
    assert sentence.startswith("The network resnet50 is on this machine, too. This says")
    assert sentence.endswith(f"boxfind compare-networks {BUNDLED} resnet50 --on 'My pictures'")
    best = advice(used("resnet50"), AUTO, [BUNDLED, PREFERRED, SMALL, LARGE])
    assert best.endswith(f"compare-networks resnet50 {LARGE}")


def test_only_figures_of_the_same_test_are_compared():
    assert "Published figures: 31.1 against 2.5 (ILIAS" in advice(used(PREFERRED), AUTO, [LARGE])
    assert "Published" not in advice(used(PREFERRED), AUTO, [SMALL])
    assert "Published" not in advice(used(PREFERRED), AUTO, ["timm:vit_small_patch14_dinov2.lvd142m"])


def test_an_index_with_the_bundled_network_for_want_of_another_says_so():
    sentence = advice(used(BUNDLED), AUTO, [BUNDLED])
    assert "because resnet50 was not available" in sentence and "docs/models.md" in sentence
    assert sentence.endswith(f"boxfind compare-networks {BUNDLED} resnet50")


@pytest.mark.parametrize(
    ("network", "wanted", "on_disk"),
    [
        (BUNDLED, BUNDLED, [BUNDLED]),  # chosen, and nothing else is there
        (PREFERRED, AUTO, [BUNDLED, PREFERRED]),  # a less promising one is there
        (LARGE, LARGE, list(PROMISING)),  # the most promising one
        ("clip-rn50", "clip-rn50", list(PROMISING)),  # chosen for its text encoder
    ],
)
def test_there_is_no_line_without_something_to_gain(network, wanted, on_disk):
    assert advice(used(network), wanted, on_disk) == ""


def test_an_index_with_a_projection_head_gets_no_advice():
    assert advice(replace(used(BUNDLED), whitening="0" * 64), AUTO, list(PROMISING)) == ""


def test_networks_on_the_disk_are_found():
    network_advice._on_disk.clear()
    assert network_advice._on_disk() == [BUNDLED]


def test_the_index_page_shows_it_to_administrators(tab: Callable[[str], AppTest]):
    page = tab("Overview")
    assert calm(page) and "compare\\-networks efficientnet\\-lite0 resnet50" in texts(page, "caption")
