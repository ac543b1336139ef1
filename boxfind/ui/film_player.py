"""Play the film that a gallery picture is from, from its moment on."""

import streamlit as st

from boxfind.ui.place_words import place_label
from boxfind.ui.source_route import SHOW, source_address
from boxfind.ui.widgets.safe_text import plain
from index.gallery import Gallery
from index.operations.read_original import source_file
from index.storage.tables import ImageEntry
from retrieval.errors import PictureGone
from retrieval.images.places import seconds_of


def film_switch(entry: ImageEntry) -> bool:
    """A switch between the picture and its film; nothing for other pictures. Whether the film is wanted."""
    if not entry.place.startswith("t="):
        return False
    return st.toggle(f"Play from {place_label(entry.place)}", key="play film")


def film(gallery: Gallery, entry: ImageEntry) -> None:
    """Play the film. If its file is gone or has changed, say so."""
    try:
        source_file(gallery, entry.image)
    except PictureGone as problem:
        st.caption(plain(str(problem)))
    else:
        st.video(source_address(gallery, entry.image, SHOW), start_time=int(seconds_of(entry.place)), autoplay=True)
