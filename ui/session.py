"""What one visitor is looking at, and what all visitors share."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from engine import Engine
from index.gallery import Gallery
from retrieval.images import read_file
from retrieval.types import Box, Hit, Image
from settings import Settings


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture to search with: the name it is shown under, and its file's bytes as they came."""

    name: str
    data: bytes

    @property
    def key(self) -> str:
        return hashlib.sha256(self.data).hexdigest()[:16]


@dataclass(slots=True)
class Drawing:
    """The box on the query picture. `version` counts up when the canvas has to be drawn anew, with `preset` on it."""

    box: Box | None = None
    preset: Box | None = None
    version: int = 0

    def put(self, box: Box | None) -> None:
        """Sets the box from outside the canvas."""
        self.box = self.preset = box
        self.version += 1


@st.cache_resource(show_spinner=False)
def shared_engine() -> Engine:
    """The engine of this process: model and index are held once, for everyone."""
    return Engine(Settings())


def query_picture() -> Picture | None:
    picture: Picture | None = st.session_state.get("picture")
    return picture


def drawing() -> Drawing:
    """The drawing of this session; starts empty."""
    found: Drawing = st.session_state.setdefault("drawing", Drawing())
    return found


def search_with(picture: Picture, box: Box | None = None) -> None:
    """Makes a picture, and a box on it, this session's query."""
    st.session_state["picture"] = picture
    drawing().put(box)


def search_with_file(path: Path, name: str, box: Box | None = None) -> None:
    """The same for a picture on disk. Raises UnreadableImage."""
    search_with(Picture(name, read_file(path)), box)


@st.cache_resource(max_entries=8, show_spinner="Opening the picture…")
def decoded(key: str, _picture: Picture) -> Image:
    """The pixels of a query picture, read-only and shared. Raises UnreadableImage."""
    image = shared_engine().read_picture(_picture.data, _picture.name)
    image.setflags(write=False)
    return image


@st.cache_data(max_entries=256, show_spinner="Searching…")
def find(
    generation: str, picture: str, box: Box, ranking: str, top: int, _gallery: Gallery, _image: Image
) -> tuple[list[Hit], float]:
    """The hits of a box and the seconds they took, remembered by what decides them."""
    began = time.perf_counter()
    hits = shared_engine().search(_gallery, _image, box, top, ranking)
    return hits, time.perf_counter() - began
