"""A result looked at closely: what was asked for beside what was found, and what its score is made of."""

from collections.abc import Sequence

import streamlit as st

from index.gallery import Gallery
from retrieval.embed import checked_box
from retrieval.errors import BoxfindError, UnreadableImage
from retrieval.images import crop_image, decode_image, read_file, shown, thumbnail
from retrieval.request import Request
from retrieval.types import Box, Hit, Image
from retrieval.verification import Details, matched_details
from ui.asking import asking, image_of, search_from
from ui.result_grid import described, meaning
from ui.session import Picture, decoded
from ui.text import plain
from ui.thumbnail import joined, outlined, thumbnail_of

PARTS = {
    "similarity": "Similarity of the outlined place to the box",
    "expansion": "Expansion: similar to the box and to its best matches",
    "diffusion": "Diffusion: reached by likenesses between pictures",
    "verification": "Verification: small details in the same places",
}


def open_closer(image: str) -> None:
    """Has the next run of the page show a result closely."""
    st.session_state["closer"] = image


def closer(gallery: Gallery, hits: Sequence[Hit], request: Request) -> None:
    """The dialog, when one was asked for."""
    if st.session_state.get("closer") in {hit.image for hit in hits}:
        _dialog(gallery, hits, request)


def _close() -> None:
    st.session_state["closer"] = None


@st.dialog("Look closer", width="large", on_dismiss=_close)
def _dialog(gallery: Gallery, hits: Sequence[Hit], request: Request) -> None:
    place = next((n for n, hit in enumerate(hits) if hit.image == st.session_state.get("closer")), 0)
    hit = hits[place]
    _steps(gallery, hits, place)
    picture, note = _original(gallery, hit.image)
    boxes = [hit.region.box, *(other.box for other in hit.others)]
    if note:
        st.caption(note)
        boxes = [_scaled(box, picture, gallery, hit.image) for box in boxes]
    crop = _asked(gallery, request)
    matched = crop_image(picture, boxes[0].clipped(picture.shape[1], picture.shape[0]))
    whole, pair = st.columns([2, 1])
    whole.image(outlined(picture, boxes, 900), width="stretch", alt=described(place + 1, hit))
    for title, part in (("Your box", crop), ("The place that matched", matched)):
        if part is not None and part.size:
            pair.caption(title)
            pair.image(thumbnail(part, side=300), alt=title)
    _details(gallery, hit, crop, picture)
    st.markdown(reasons(hit))


def reasons(hit: Hit) -> str:
    """What the confidence means and what the score was added up from, in Markdown."""
    parts = [f"| {PARTS.get(name, plain(name))} | {part:.2f} |" for name, part in hit.parts.items()]
    table = "\n".join([f"| Ranking score | {hit.score:.2f} |", "|:--|--:|", *parts])
    return f"**{hit.confidence.capitalize()}.** {meaning(hit)}  \nSimilarity (cosine) {hit.similarity:.2f}\n\n{table}"


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
                on_click=open_closer,
                args=[hits[(place + step) % len(hits)].image],
            )
        if st.button("Search from this place", icon=":material/center_focus_strong:", key="closer search"):
            _close()
            search_from(gallery, hit.image, hit.region.box)
            st.rerun()
        request = asking().request
        for label, right, marked in (("right", True, request.right), ("wrong", False, request.wrong)):
            icon = "thumb_up" if right else "thumb_down"
            said = "Taken as" if hit.image in marked else "Mark as"
            if st.button(f"{said} {label}", icon=f":material/{icon}:", key=f"closer {label}"):
                asking().mark(hit.image, right)
                st.rerun()


def _details(gallery: Gallery, hit: Hit, crop: Image | None, picture: Image) -> None:
    if crop is None or "verification" not in hit.parts:
        return
    keypoints, size = gallery.keypoints(gallery.catalogue.numbers[hit.image])
    details = matched_details(crop, keypoints, size)
    count = len(details.query)
    if not count:
        return
    if st.toggle(f"Show the {count} details that agree", key="show details"):
        scale = picture.shape[1] / size[0]
        drawn = joined(crop, picture, Details(details.query, details.candidate * scale), 440)
        st.image(drawn, width="stretch", alt=f"{count} details of your box joined to the same details in the picture")


def _original(gallery: Gallery, image: str) -> tuple[Image, str]:
    """The picture's pixels and, where they are only the thumbnail's, why."""
    try:
        picture = Picture(image, read_file(gallery.file(image)))
        return decoded(picture.key, picture), ""
    except UnreadableImage:
        small = decode_image(thumbnail_of(gallery, image))
        return small, "The file cannot be opened now; this is the small picture that the index keeps."


def _scaled(box: Box, picture: Image, gallery: Gallery, image: str) -> Box:
    scale = picture.shape[1] / gallery.entry(image).width
    return Box(*(round(edge * scale) for edge in (box.x0, box.y0, box.x1, box.y1)))


def _asked(gallery: Gallery, request: Request) -> Image | None:
    """What is in the box of the object looked for; None when its picture is not here any more."""
    asked = next(example for example in request.examples if example.role == "object")
    try:
        image = image_of(asked.picture, gallery)
        return crop_image(image, checked_box(image, asked.box, request.context))
    except BoxfindError:
        return None
