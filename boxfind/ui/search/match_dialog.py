"""Dialog with one result: query crop beside the matched region, and the parts of the score."""

from collections.abc import Callable, Sequence
from itertools import zip_longest

import streamlit as st

from boxfind.export.crops import cut
from boxfind.ui.search.result_tile import ACTIONS, described
from boxfind.ui.search.search_state import image_of
from boxfind.ui.session import gallery_picture
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.picture_dialog import dialog_picture, dialog_requested, request_dialog, step_buttons
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.thumbnail import joined, outlined
from index.gallery import Gallery
from retrieval.descriptors.embedder import checked_box
from retrieval.errors import BoxfindError
from retrieval.images.resize import crop_image, thumbnail
from retrieval.ranking.confidence import meaning
from retrieval.ranking.verification import matched_details
from retrieval.request import Example, Request
from retrieval.types import Hit, Image

PARTS = {
    "similarity": "Similarity of the outlined region to your box",
    "expansion": "Query expansion: similarity to the box and its best matches",
    "diffusion": "Diffusion: reached through similar gallery pictures",
    "verification": "Verification: details in the same arrangement",
    "words": "Words: match of the description to the outlined region",
    "look": "Appearance: similarity to the best matches of the description",
    "colour": "Colour: share of the region with the named colour",
}


def match_dialog(gallery: Gallery, hits: Sequence[Hit], request: Request, on_pick: Callable[[str, str], None]) -> None:
    """Open the dialog if it was requested. `on_pick` gets the chosen action and image, as in the grid of results."""
    if dialog_requested([hit.image for hit in hits]):
        _dialog(gallery, hits, request, on_pick)


@st.dialog("Closer view", width="large")
def _dialog(gallery: Gallery, hits: Sequence[Hit], request: Request, on_pick: Callable[[str, str], None]) -> None:
    images = [hit.image for hit in hits]
    place = dialog_picture(images)
    hit = hits[place]
    marked = {"right": hit.image in request.positives, "wrong": hit.image in request.negatives}
    with st.container(horizontal=True):
        step_buttons(images, place)
        for action in ACTIONS[1:]:
            if st.button(
                f"Marked as {action.name}" if marked.get(action.name) else action.label,
                icon=f":material/{action.icon}:",
                key=f"dialog {action.name}",
            ):
                on_pick(action.name, hit.image)
                if action.toggle:
                    request_dialog(hit.image)  # again, after the results have changed
                st.rerun()
    picture, entry = gallery_picture(gallery, hit.image), gallery.entry(hit.image)
    boxes = [hit.region.box, *(other.box for other in hit.others)]
    crops = [_crop(gallery, example, request.context) for example in request.wanted]
    whole, pairs = st.columns([2, 1])
    whole.image(outlined(picture, boxes, entry.width, (900, 900)), width="stretch", alt=described(place + 1, hit))
    for number, (crop, box) in enumerate(zip_longest(crops[: len(boxes)], boxes), start=1):
        which = f" {number}" if len(boxes) > 1 else ""
        left, right = pairs.columns(2) if len(boxes) > 1 else (pairs, pairs)
        if crop is not None:
            left.caption(f"Your box{which}")
            left.image(thumbnail(crop, side=300), alt=f"Your box{which}")
        right.caption(f"Matched region{which}")
        right.image(thumbnail(cut(picture, box, entry), side=300), alt=f"Matched region{which}")
    if crops and crops[0] is not None and request.ranking == "best":
        _details(gallery, hit, crops[0], picture)
    st.markdown(reasons(hit))


def reasons(hit: Hit) -> str:
    """The meaning of the confidence and the parts of the score, in Markdown."""
    combined = "the minimum of:" if hit.others else "the sum of:"
    parts = [f"| {_part(name)} | {part:.2f} |" for name, part in hit.parts.items()]
    detected = f", detected as {plain(hit.region.label)} ({hit.region.score:.2f})" if hit.region.label else ""
    table = "\n".join([f"| Ranking score, {combined} | {hit.score:.2f} |", "|:--|--:|", *parts])
    similar = f"Similarity (cosine) {hit.similarity:.2f}{detected}"
    return f"**{hit.confidence.capitalize()}.** {meaning(hit)}  \n{similar}\n\n{table}"


def _part(name: str) -> str:
    kind, _, number = name.partition(" ")
    return f"Box {number}: score relative to its best match" if kind == "object" else PARTS.get(name, plain(name))


def _details(gallery: Gallery, hit: Hit, crop: Image, picture: Image) -> None:
    """Offer to show the matching details of crop and picture, if there are any."""
    keypoints, size = gallery.keypoints(gallery.tables.numbers[hit.image])
    details = matched_details(crop, keypoints, size)
    count = len(details.query)
    if count and st.toggle(f"Show {counted(count, 'matching detail')}", key="show details"):
        drawn = joined(crop, picture, size[0], details, 440)
        st.image(drawn, width="stretch", alt=f"{counted(count, 'detail')} of your box connected to the picture")


def _crop(gallery: Gallery, example: Example, context: float) -> Image | None:
    """The query crop including padding; None if its picture is no longer available."""
    try:
        image = image_of(example.picture, gallery)
        return crop_image(image, checked_box(image, example.box, context))
    except BoxfindError:
        return None
