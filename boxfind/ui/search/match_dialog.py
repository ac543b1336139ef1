"""Dialog with one result: the picture with the matched region, the query crop, and the parts of the score."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest

import streamlit as st

from boxfind.ui.collection_choice import searches_everywhere
from boxfind.ui.error_boundary import error_boundary
from boxfind.ui.film_player import film, film_switch
from boxfind.ui.gallery_view import gallery_view
from boxfind.ui.original_file import file_menu
from boxfind.ui.place_words import entry_in_words
from boxfind.ui.search.result_tile import ACTIONS, described, same_words
from boxfind.ui.search.search_state import image_of, search_from
from boxfind.ui.session import BY_GENERATION
from boxfind.ui.widgets.counted import counted
from boxfind.ui.widgets.picture_dialog import (
    dialog_picture,
    dialog_requested,
    dialog_view,
    request_dialog,
    search_menu,
    step_buttons,
)
from boxfind.ui.widgets.picture_view import ViewedPicture
from boxfind.ui.widgets.safe_text import plain
from boxfind.ui.widgets.thumbnail import COLOURS, joined
from index.gallery import Gallery
from retrieval.descriptors.embedder import checked_box
from retrieval.errors import BoxfindError
from retrieval.images.decode import LoadedImage
from retrieval.images.resize import thumbnail
from retrieval.ranking.confidence import meaning
from retrieval.ranking.verification import Details, matched_details
from retrieval.request import Example, Request
from retrieval.types import Hit, Image

PARTS = {
    "similarity": "Similarity of the outlined region to your box",
    "expansion": "Query expansion: similarity to the box and its best matches",
    "diffusion": "Diffusion: reached through similar gallery pictures",
    "lead": "Lead: nearest to the box itself by far, or a copy of it",
    "verification": "Verification: details in the same arrangement",
    "appearance": "Appearance: the same colours and structure in the same places",
    "text": "Text: words that are also written in your box",
    "written": "Written: the text stands in the outlined region, or much of it",
    "words": "Words: match of the description to the outlined region",
    "name": "Name: the words are in the name of the file or its folders",
    "look": "Look: similarity to the best matches of the description",
    "colour": "Colour: share of the region with the named colour",
}
REGION, WHOLE = "The outlined region", "The whole picture"
"""What a search from the dialog can start with."""
DETAIL_SIDE = 800
"""Maximum side of crop and picture, in pixels, that are joined by lines between matching details."""

Pick = Callable[[str, str], None]


def match_dialog(gallery: Gallery, hits: Sequence[Hit], request: Request, on_pick: Pick, collection: str = "") -> None:
    """Open the dialog if it was requested. `on_pick` gets the chosen action and image, as in the grid of results.

    `collection` is the name of theirs for people, where several are searched.
    """
    if dialog_requested([hit.image for hit in hits]):
        _dialog(gallery, hits, request, on_pick, f"{collection}: " if collection else "")


@st.dialog("Closer view", width="large")
@error_boundary()
def _dialog(gallery: Gallery, hits: Sequence[Hit], request: Request, on_pick: Pick, before_name: str) -> None:
    images = [hit.image for hit in hits]
    place = dialog_picture(images, lambda image: before_name + entry_in_words(gallery.entry(image)))
    hit = hits[place]
    entry = gallery.entry(hit.image)
    tools = st.container(key="dialog-tools", horizontal=True, gap="xsmall", vertical_alignment="center")
    with tools:
        step_buttons(images, place)
        _marks(images, place, request, on_pick)
        _search_menu(gallery, hit, on_pick)
        file_menu(gallery, hit.image)
        wants_film = film_switch(entry)
    left, right = st.columns([5, 2])
    with left:
        picture, shown = gallery_view(gallery, hit.image, described(place + 1, entry_in_words(entry), hit))
        crops = [_crop(gallery, example, request.context) for example in request.wanted]
        details = None
        if request.ranking == "best" and crops and crops[0] is not None and not wants_film:
            with tools:
                details = _details(gallery, hit, request, crops[0])
        boxes = (hit.region.box, *(other.box for other in hit.others))
        if wants_film:
            film(gallery, entry)
        elif details is None or crops[0] is None:
            dialog_view(images, place, outlined(shown, hit))
        else:
            dialog_view(images, place, _joined(hit, crops[0], picture, details))
    with right:
        st.markdown(verdict(hit))
        _pairs(crops, [picture.crop(box) for box in boxes])
    st.markdown(score_parts(hit))


def outlined(shown: ViewedPicture, hit: Hit) -> ViewedPicture:
    """The picture with the matched regions outlined and, in a colour of their own, the lines with the same words."""
    first, second, last = COLOURS
    boxes = (hit.region.box, *(other.box for other in hit.others), *(line.box for line in hit.same_text))
    return replace(shown, outlines=boxes, colours=(first, *(second for _ in hit.others), last))


def verdict(hit: Hit) -> str:
    """The confidence, its meaning and the similarity, in Markdown."""
    if hit.written:
        return f"**{hit.confidence.capitalize()}.** {plain(meaning(hit))}"
    detected = f", detected as {plain(hit.region.label)} ({hit.region.score:.2f})" if hit.region.label else ""
    similar = f"Similarity (cosine) {hit.similarity:.2f}{detected}"
    written = f"  \nThe same words as in your box: {plain(same_words(hit))}" if hit.same_text else ""
    return f"**{hit.confidence.capitalize()}.** {meaning(hit)}{written}  \n{similar}"


def score_parts(hit: Hit) -> str:
    """The ranking score and its parts, as a Markdown table."""
    combined = "the minimum of:" if hit.others else "the sum of:"
    parts = [f"| {_part(name)} | {part:.2f} |" for name, part in hit.parts.items()]
    return "\n".join([f"| Ranking score, {combined} | {hit.score:.2f} |", "|:--|--:|", *parts])


def _part(name: str) -> str:
    kind, _, number = name.partition(" ")
    return f"Box {number}: score relative to its best match" if kind == "object" else PARTS.get(name, plain(name))


def _marks(images: Sequence[str], place: int, request: Request, on_pick: Pick) -> None:
    """Buttons that mark the picture. One marked as wrong leaves the results, so its neighbour follows."""
    image = images[place]
    if searches_everywhere():  # marks belong to one collection
        return
    marked = {"right": image in request.positives, "wrong": image in request.negatives}
    for action in ACTIONS:
        if not action.toggle:
            continue
        if st.button(
            action.name.capitalize(),
            type="primary" if marked[action.name] else "secondary",
            icon=f":material/{action.icon}:",
            help="Remove this mark" if marked[action.name] else action.label,
            key=f"dialog {action.name}",
        ):
            on_pick(action.name, image)
            others = [*images[place + 1 :], *reversed(images[:place])]
            follows = others[0] if action.name == "wrong" and not marked["wrong"] and others else image
            request_dialog(follows)  # again, after the results have changed
            st.rerun()


def _search_menu(gallery: Gallery, hit: Hit, on_pick: Pick) -> None:
    chosen = search_menu([REGION, WHOLE])
    if chosen == REGION:
        on_pick("search", hit.image)
    elif chosen == WHOLE:
        search_from(gallery, hit.image, gallery.entry(hit.image).whole)
    if chosen:
        st.rerun()


def _pairs(crops: Sequence[Image | None], regions: Sequence[Image]) -> None:
    """Show the boxes of the query beside the matched regions."""
    for number, (crop, region) in enumerate(zip_longest(crops[: len(regions)], regions), start=1):
        which = f" {number}" if len(regions) > 1 else ""
        for column, label, pixels in zip(st.columns(2), ("Your box", "Matched region"), (crop, region), strict=True):
            if pixels is not None:
                column.image(thumbnail(pixels, side=300), alt=f"{label}{which}", caption=f"{label}{which}")


def _details(gallery: Gallery, hit: Hit, request: Request, crop: Image) -> Details | None:
    """A switch for the matching details of crop and picture. Returns them if it is on and there are any."""
    details = _matched(gallery, hit.image, request.wanted[0], request.context, crop)
    count = len(details.query)
    label = f"Show {counted(count, 'matching detail')}" if count else "No matching details"
    on = st.toggle(label, key="show details", help="Draw lines between details of your box and of the picture")
    return details if on and count else None


@st.cache_data(max_entries=128, show_spinner=False, hash_funcs=BY_GENERATION)
def _matched(gallery: Gallery, image: str, example: Example, context: float, _crop: Image) -> Details:
    keypoints, size = gallery.keypoints(gallery.tables.numbers[image])
    return matched_details(_crop, keypoints, size)


def _joined(hit: Hit, crop: Image, picture: LoadedImage, details: Details) -> ViewedPicture:
    """The query crop and the picture, joined by lines between matching details."""
    jpeg, size = joined(crop, picture, details, DETAIL_SIDE)
    alt = f"{counted(len(details.query), 'detail')} of your box connected to the picture"
    return ViewedPicture(f"details of {hit.image}", jpeg, size, alt)


def _crop(gallery: Gallery, example: Example, context: float) -> Image | None:
    """The query crop including padding; None if its picture is no longer available."""
    try:
        picture = image_of(example.picture, gallery)
        return picture.crop(checked_box(picture.size, example.box, context))
    except BoxfindError:
        return None
