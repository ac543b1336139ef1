"""Dialog with one result: query crop beside the matched region, and the parts of the score."""

from collections.abc import Sequence

import streamlit as st

from boxfind.ui.original_image import ONLY_SMALL, original
from boxfind.ui.search.result_grid import described
from boxfind.ui.search.search_state import image_of, search_from, search_state
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.dialog_state import DialogState
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.thumbnail import joined, outlined
from index.gallery import Gallery
from retrieval.descriptors.embedder import checked_box
from retrieval.errors import BoxfindError
from retrieval.images.resize import crop_image, thumbnail
from retrieval.printable_names import shown
from retrieval.ranking.confidence import meaning
from retrieval.ranking.verification import Details, matched_details
from retrieval.request import Example, Request
from retrieval.types import Box, Hit, Image

PARTS = {
    "similarity": "Similarity of the outlined region to your box",
    "expansion": "Query expansion: similarity to the box and its best matches",
    "diffusion": "Diffusion: reached through similar gallery pictures",
    "verification": "Verification: details in the same arrangement",
    "words": "Words: match of the description to the outlined region",
    "look": "Look: similarity to the best matches of the description",
    "colour": "Colour: share of the region with the named colour",
}


MATCH_DIALOG = DialogState("closer")


def match_dialog(gallery: Gallery, hits: Sequence[Hit], request: Request) -> None:
    """Open the dialog if MATCH_DIALOG requests it."""
    if MATCH_DIALOG.is_due({hit.image for hit in hits}):
        _dialog(gallery, hits, request)


@st.dialog("Look closer", width="large")
def _dialog(gallery: Gallery, hits: Sequence[Hit], request: Request) -> None:
    place = next((n for n, hit in enumerate(hits) if hit.image == MATCH_DIALOG.image), 0)
    hit = hits[place]
    _steps(gallery, hits, place)
    picture, is_file = original(gallery, hit.image)
    boxes = [hit.region.box, *(other.box for other in hit.others)]
    if not is_file:
        st.caption(ONLY_SMALL)
        boxes = [_scaled(box, picture, gallery, hit.image) for box in boxes]
    crops = [_crop(gallery, example, request.context) for example in request.wanted]
    whole, pairs = st.columns([2, 1])
    whole.image(outlined(picture, boxes, 900), width="stretch", alt=described(place + 1, hit))
    for number, (crop, box) in enumerate(zip(crops or [None], boxes, strict=False), start=1):
        which = f" {number}" if len(boxes) > 1 else ""
        matched = crop_image(picture, box.clipped(picture.shape[1], picture.shape[0]))
        for column, title, part in zip(
            pairs.columns(2) if len(boxes) > 1 else (pairs, pairs),
            (f"Your box{which}", f"Matched region{which}"),
            (crop, matched),
            strict=True,
        ):
            if part is not None and part.size:
                column.caption(title)
                column.image(thumbnail(part, side=300), alt=title)
    _details(gallery, hit, request, crops[0] if crops else None, picture)
    st.markdown(reasons(hit))


def reasons(hit: Hit) -> str:
    """The meaning of the confidence and the parts of the score, in Markdown."""
    made = "the minimum of:" if hit.others else "the sum of:"
    parts = [f"| {_part(name)} | {part:.2f} |" for name, part in hit.parts.items()]
    named = f", detected as {plain(hit.region.label)} ({hit.region.score:.2f})" if hit.region.label else ""
    table = "\n".join([f"| Ranking score, {made} | {hit.score:.2f} |", "|:--|--:|", *parts])
    similar = f"Similarity (cosine) {hit.similarity:.2f}{named}"
    return f"**{hit.confidence.capitalize()}.** {meaning(hit)}  \n{similar}\n\n{table}"


def _part(name: str) -> str:
    kind, _, number = name.partition(" ")
    return f"Box {number}: score relative to its best match" if kind == "object" else PARTS.get(name, plain(name))


def _steps(gallery: Gallery, hits: Sequence[Hit], place: int) -> None:
    hit = hits[place]
    st.markdown(f"**{place + 1} of {len(hits)}** · {plain(shown(hit.image))}")
    with st.container(horizontal=True):
        for label, step, key in (("Previous", -1, "Left"), ("Next", 1, "Right")):
            st.button(
                label,
                icon=":material/chevron_left:" if step < 0 else ":material/chevron_right:",
                shortcut=key,
                disabled=not 0 <= place + step < len(hits),
                on_click=MATCH_DIALOG.step,
                args=[hits[(place + step) % len(hits)].image],
            )
        if st.button("Search with this region", icon=":material/center_focus_strong:", key="closer search"):
            search_from(gallery, hit.image, hit.region.box)
            st.rerun()
        request = search_state().request
        for label, right, marked in (("right", True, request.positives), ("wrong", False, request.negatives)):
            icon = "thumb_up" if right else "thumb_down"
            said = "Marked as" if hit.image in marked else "Mark as"
            if st.button(f"{said} {label}", icon=f":material/{icon}:", key=f"closer {label}"):
                search_state().mark(hit.image, right)
                MATCH_DIALOG.open(hit.image)
                st.rerun()


def _details(gallery: Gallery, hit: Hit, request: Request, crop: Image | None, picture: Image) -> None:
    if crop is None or request.ranking != "best":
        return
    keypoints, size = gallery.keypoints(gallery.tables.numbers[hit.image])
    details = matched_details(crop, keypoints, size)
    count = len(details.query)
    if not count:
        return
    if st.toggle(f"Show {counted(count, 'matching detail')}", key="show details"):
        scale = picture.shape[1] / size[0]
        drawn = joined(crop, picture, Details(details.query, details.candidate * scale), 440)
        st.image(drawn, width="stretch", alt=f"{counted(count, 'detail')} of your box connected to the picture")


def _scaled(box: Box, picture: Image, gallery: Gallery, image: str) -> Box:
    scale = picture.shape[1] / gallery.entry(image).width
    return Box(*(round(edge * scale) for edge in (box.x0, box.y0, box.x1, box.y1)))


def _crop(gallery: Gallery, example: Example, context: float) -> Image | None:
    """The query crop including padding; None if its picture is no longer available."""
    try:
        image = image_of(example.picture, gallery)
        return crop_image(image, checked_box(image, example.box, context))
    except BoxfindError:
        return None
