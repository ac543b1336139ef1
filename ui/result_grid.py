"""Hits as tiles: rank, name, confidence, similarity, and the picture with the place that matched outlined."""

from collections.abc import Sequence

import streamlit as st

from index.gallery import Gallery
from retrieval.embed import SMALLEST_BOX
from retrieval.errors import UnreadableImage
from retrieval.images import shown
from retrieval.types import Box, Confidence, Hit
from ui.session import search_with_file
from ui.text import plain
from ui.tile import tile

COLOURS: dict[Confidence, str] = {"likely": "green", "possible": "orange", "unlikely": "gray"}
MEANINGS: dict[Confidence, str] = {
    "likely": "Pictures without the object hardly ever look this similar.",
    "possible": "Now and then a picture without the object looks this similar.",
    "unlikely": "Pictures without the object often look this similar.",
}
VERIFIED = "Details agree: the outline is where the object itself lies."
PARTS = {
    "similarity": "Similarity of the outlined place to the box",
    "expansion": "Expansion: similar to the box and to its best matches",
    "diffusion": "Diffusion: reached by likenesses between pictures",
    "verification": "Verification: small details in the same places",
}


def result_grid(gallery: Gallery, hits: Sequence[Hit]) -> None:
    """One tile a hit, best first; every tile tells why it is there and offers to search on from the place that matched.

    The confidence is itself the button for the reasons.
    """
    grid = st.grid("auto", min_column_width=150, gap="small")
    for rank, hit in enumerate(hits, start=1):
        with grid.cell(), st.container(gap="xxsmall"):
            picture = tile(gallery.folder.name, hit.image, hit.region.box, gallery)
            st.image(picture, width="stretch", alt=described(rank, hit))
            st.markdown(f"**{rank}** · {plain(hit.image)}")
            with st.popover(judged(hit), type="tertiary", help=meaning(hit), key=f"why {hit.image}"):
                st.markdown(reasons(hit))
            st.button(
                "Search from this",
                key=f"from {hit.image}",
                type="tertiary",
                icon=":material/center_focus_strong:",
                help="The outlined place becomes the new query.",
                on_click=search_from,
                args=[gallery, hit.image, hit.region.box],
            )


def search_from(gallery: Gallery, image: str, box: Box | None = None) -> None:
    """Makes a gallery picture the query; keeps the one there is, and says why, when the file cannot be read now."""
    if box is not None and min(box.width, box.height) < SMALLEST_BOX:
        entry = gallery.entry(image)
        box = box.grown(2 * SMALLEST_BOX / min(box.width, box.height)).clipped(entry.width, entry.height)
    try:
        search_with_file(gallery.file(image), image, box)
    except UnreadableImage:  # its sentence names the folder
        st.toast(
            plain(f"{shown(image)} cannot be opened now; it was there when the gallery was indexed."),
            icon=":material/warning:",
        )


def is_verified(hit: Hit) -> bool:
    return hit.region.kind == "verified"


def described(rank: int, hit: Hit) -> str:
    """The alternative text of a tile's picture."""
    return f"Rank {rank}: {hit.image}, {hit.confidence} match" + (", details agree" if is_verified(hit) else "")


def judged(hit: Hit) -> str:
    """ "[likely] 0.81" with a badge in Markdown; the similarity and not the ranking's score, which means little."""
    mark = ":material/verified: " if is_verified(hit) else ""
    return f":{COLOURS[hit.confidence]}-badge[{mark}{hit.confidence}] {hit.similarity:.2f}"


def meaning(hit: Hit) -> str:
    return VERIFIED if is_verified(hit) else MEANINGS[hit.confidence]


def reasons(hit: Hit) -> str:
    """What the confidence means and what the score was added up from, in Markdown."""
    parts = [f"| {PARTS[name]} | {part:.2f} |" for name, part in hit.parts.items()]
    table = "\n".join([f"| Ranking score | {hit.score:.2f} |", "|:--|--:|", *parts])
    return f"{meaning(hit)}  \nSimilarity (cosine) {hit.similarity:.2f}\n\n{table}"
