"""Read videos: pictures that show each shot, the frame at a moment, and facts about the file.

PyAV (FFmpeg) decodes. The same file always gives the same pictures.
"""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import RuntimeMissing, UnreadableImage
from retrieval.images.decode import LoadedImage
from retrieval.images.limits import VIDEO
from retrieval.images.shots import Pace, Shots
from retrieval.optional_packages import PYAV
from retrieval.printable_names import shown

if TYPE_CHECKING:  # requires av
    from retrieval.images.video_decoder import VideoDecoder


EARLIER = 0.0, 5.0, 30.0, math.inf
"""Seconds before a moment at which the search for its frame starts, one after the other."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a video file says about itself."""

    seconds: float
    """Its length; 0 if the file does not say."""
    width: int
    height: int
    """Size in pixels of a frame as it is shown: upright, with square pixels."""
    codec: str


def key_frames(path: Path, enough: int | None = None) -> Iterator[tuple[float, LoadedImage]]:
    """Pictures of a video in order of time, each with its seconds from the start, rounded to two decimals.

    One picture a shot, and one each ten seconds of a long shot: a sharp frame. Blank frames are left out, and frames
    that nearly equal one before them. If a longest side of `enough` pixels suffices, they are scaled down to it.
    Raises UnreadableImage, also for a video without any such picture.
    """
    with _opened(path) as decoder:
        count = 0
        for seconds, frame in Shots().choose(decoder.samples(), Pace.of(decoder.file.seconds)):
            yield seconds, decoder.picture(frame, seconds, enough)
            count += 1
            if count == VIDEO.pictures:
                return
        if not count:
            raise decoder.nothing()


def frame_at(path: Path, seconds: float) -> LoadedImage:
    """The frame of a video that is shown at this time: the same picture as that of `key_frames` with this time.

    A time beyond the end gives the last frame. Raises UnreadableImage.
    """
    for earlier in EARLIER:
        with _opened(path) as decoder:
            frame = decoder.frame_at(seconds, earlier)
            if frame is not None:
                return decoder.picture(frame, seconds)
            if earlier == math.inf:
                raise decoder.nothing()
    raise AssertionError("unreachable")


def facts(path: Path) -> VideoFacts:
    """Facts about a video. Its first frame is decoded, which tells how it is turned. Raises UnreadableImage."""
    with _opened(path) as decoder:
        picture = decoder.picture(decoder.first_frame(), 0.0, enough=1)
        return VideoFacts(decoder.file.seconds, *picture.size, decoder.file.codec)


def key_times(path: Path, most: int) -> list[float]:
    """Seconds from the start of the frames that are compressed on their own, the first `most`. Raises UnreadableImage.

    These are found without decoding, and are not the pictures of `key_frames`.
    """
    with _opened(path) as decoder:
        return decoder.key_times(most)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator["VideoDecoder"]:
    try:
        PYAV.check(f"Reading the video {shown(path.name)}")
    except RuntimeMissing as missing:
        raise UnreadableImage("package", str(missing)) from None
    from retrieval.images.video_decoder import VideoDecoder
    from retrieval.images.video_file import open_video

    with open_video(path) as file:
        yield VideoDecoder(file)
