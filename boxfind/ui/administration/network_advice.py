"""One line about a network that may find the pictures of this collection better, and how to find out."""

import contextlib
import shlex
from collections.abc import Sequence

import streamlit as st

from boxfind.ui.session import shared_engine
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from retrieval.descriptors.recipe import LEARNED, Recipe
from retrieval.errors import RuntimeMissing, UnknownName
from retrieval.networks.backbones import AUTO, BUNDLED, PREFERRED, has_files
from retrieval.networks.network_names import full_name, short_name
from retrieval.networks.recommended_networks import RECOMMENDED

PROMISING = (
    "timm:vit_large_patch16_dinov3.lvd1689m",
    "timm:vit_base_patch16_dinov3.lvd1689m",
    "timm:vit_small_patch16_dinov3.lvd1689m",
    "timm:vit_small_patch14_dinov2.lvd142m",
    PREFERRED,
    BUNDLED,
)
"""Networks that find single objects, most promising first. None of this was measured on the collection."""
LOOKED = 600
"""Seconds after which the disk is looked at again."""


def advice(recipe: Recipe, wanted: str, on_disk: Sequence[str], collection: str = "") -> str:
    """Return how to find out whether another network suits a collection better; "" if there is nothing to gain.

    `recipe` is that of its index, `wanted` the network of the settings, `on_disk` those of PROMISING that can be used
    now. An index with a network or a projection head that somebody chose for another reason gets no advice.
    """
    if recipe.backbone not in PROMISING or recipe.whitening != LEARNED:
        return ""
    better = [name for name in PROMISING[: PROMISING.index(recipe.backbone)] if name in on_disk]
    if better:
        published = _published(better[0], recipe.backbone)
        return (
            f"The network {short_name(better[0])} is on this machine, too.{published} This says whether it "
            "finds more in this collection, and how to switch: "
            f"{_comparison(recipe.backbone, better[0], collection)}"
        )
    if recipe.backbone == BUNDLED and wanted == AUTO:
        return (
            f"This index uses the bundled network, because {short_name(PREFERRED)} was not available. docs/models.md "
            "tells how to get it; then this says whether it finds more in this collection: "
            f"{_comparison(BUNDLED, PREFERRED, collection)}"
        )
    return ""


def _comparison(one: str, other: str, collection: str) -> str:
    on = ["--on", collection] if collection else []
    return shlex.join(["boxfind", "compare-networks", short_name(one), short_name(other), *on])


def _published(one: str, other: str) -> str:
    """The published figures of two networks as a sentence, if both were measured in the same test."""
    ours, its = (next((entry for entry in RECOMMENDED if full_name(entry.name) == name), None) for name in (one, other))
    if not ours or not its or not ours.figure or not its.figure or ours.source != its.source:
        return ""
    return f" Published figures: {ours.figure} against {its.figure} ({ours.source})."


def network_line(gallery: Gallery) -> None:
    """Show the advice for the served index, if there is any."""
    settings = shared_engine().settings
    line = advice(gallery.manifest.recipe, settings.build.backbone, _on_disk(), settings.collection)
    if line:
        st.caption(plain(line))


@st.cache_data(ttl=LOOKED, show_spinner=False)
def _on_disk() -> list[str]:
    """The networks of PROMISING whose files are on this machine."""
    found = []
    for name in PROMISING:
        with contextlib.suppress(UnknownName, RuntimeMissing):
            if has_files(name):
                found.append(name)
    return found
