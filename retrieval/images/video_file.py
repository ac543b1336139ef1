"""Open a video file with PyAV within the limits, and read what it says about itself."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.error import MemoryError as OutOfMemory
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from retrieval.errors import UnreadableImage
from retrieval.images.limits import LIMITS, VIDEO
from retrieval.printable_names import shown

FORMATS = "mov,matroska,avi,mpegts,mpeg,asf,flv,ogg"
"""Containers that are read. Others, such as play lists, may name other files."""
CODECS = (
    "h264,hevc,vvc,av1,libdav1d,vp8,vp9,vp6,vp6f,mpeg4,msmpeg4,msmpeg4v1,msmpeg4v2,mpeg2video,mpeg1video,mjpeg,prores,"
    "dnxhd,cfhd,dvvideo,h263,flv,theora,wmv1,wmv2,wmv3,vc1,ffv1,huffyuv,ffvhuff,utvideo,rawvideo,png,qtrle,cinepak,"
    "svq1,svq3,aac,mp3,mp3float,opus,vorbis,ac3,flac"
)
"""Decoders that may run. Those of sound run only while a file is opened."""
ONLY_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
"""Kinds of video streams that are no videos, such as the cover of a song."""
RATE = 25
"""Frames a second if a video does not say."""
EARLIEST = 1971
"""Cameras without a date write 1904 or 1970."""
LOCAL_DATE, DATE = "com.apple.quicktime.creationdate", "creation_time"
"""Metadata: the time on the camera's clock with its zone, and the time in UTC."""


@dataclass(frozen=True, slots=True)
class VideoFile:
    """An open file and its best video stream."""

    name: str
    """For messages."""
    container: InputContainer
    stream: VideoStream

    @property
    def begin(self) -> Fraction:
        """Time stamp of the start in seconds."""
        if self.container.start_time is not None:
            return Fraction(self.container.start_time, av.time_base)
        return (self.stream.start_time or 0) * self.time_base

    @property
    def time_base(self) -> Fraction:
        """Seconds of a step of the stream's time stamps."""
        return self.stream.time_base or Fraction(1, RATE)

    @property
    def rate(self) -> Fraction:
        """Frames a second on average."""
        return self.stream.average_rate or self.stream.guessed_rate or Fraction(RATE)

    @property
    def seconds(self) -> float:
        """Length as the file says; 0 if it does not."""
        length = (self.stream.duration or 0) * self.time_base or Fraction(self.container.duration or 0, av.time_base)
        return max(float(length), 0.0)

    @property
    def codec(self) -> str:
        return str(self.stream.codec_context.codec.canonical_name)

    @property
    def pixels(self) -> int:
        """Of a frame."""
        return self.stream.width * self.stream.height

    def taken(self, seconds: float) -> datetime | None:
        """When the frame at this time was recorded, on the camera's clock if the file has it, else in UTC."""
        written = self.container.metadata.get(LOCAL_DATE) or self.container.metadata.get(DATE)
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            begin = datetime.fromisoformat(str(written)).replace(tzinfo=None, microsecond=0)
            return begin + timedelta(seconds=int(seconds)) if begin.year >= EARLIEST else None
        return None


@contextlib.contextmanager
def open_video(path: Path) -> Iterator[VideoFile]:
    """Open a video within the limits. Raises UnreadableImage, also for errors while it is read."""
    name = shown(path.name)
    try:
        _check_file(path, name)
        options = {
            "format_whitelist": FORMATS,
            "codec_whitelist": CODECS,
            "protocol_whitelist": "file",
            "max_pixels": str(4 * VIDEO.pixels),  # so that the size of a larger frame is known
            "threads": "1",
        }
        with av.open(f"file:{path}", "r", options=options, metadata_errors="replace") as container:
            yield _best_video(container, name)
    except (OutOfMemory, MemoryError):
        raise UnreadableImage(
            "too_large", f"{name} needs more memory to decode than is available; make it smaller."
        ) from None
    except PermissionError:
        raise UnreadableImage("permission", f"{name} may not be read; change its permissions.") from None
    except (FFmpegError, OSError, ValueError, OverflowError) as error:
        if isinstance(error, EOFError) or _is_cut_off(path):
            raise UnreadableImage("truncated", f"{name} is cut off; get the complete file.") from None
        raise UnreadableImage(
            "damaged", f"{name} is damaged, or not a video that can be read; get another copy."
        ) from None


def _check_file(path: Path, name: str) -> None:
    if not path.exists():
        raise UnreadableImage("missing", f"There is no file {name}.")
    if not path.is_file():
        raise UnreadableImage("special", f"{name} is not a file.")
    if not path.stat().st_size:
        raise UnreadableImage("empty", f"{name} is empty (0 bytes).")
    path.open("rb").close()  # raises PermissionError


def _best_video(container: InputContainer, name: str) -> VideoFile:
    """The main video stream, ready to decode on one thread. The other streams are not read."""
    streams = [stream for stream in container.streams.video if not stream.disposition & ONLY_PICTURES]
    if not streams:
        raise UnreadableImage("no_video", f"{name} has no video, only sound.")
    readable = [stream for stream in streams if stream.codec_context is not None]
    if not readable:
        raise UnreadableImage("codec", f"{name} is a video of a kind that cannot be decoded; convert it to H.264.")
    stream = max(readable, key=lambda one: (bool(one.disposition & Disposition.default), one.width * one.height))
    check_size(stream.width, stream.height, name)
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"max_pixels": str(VIDEO.pixels), "err_detect": "explode"}
    return VideoFile(name, container, stream)


def check_size(width: int, height: int, name: str) -> None:
    """Raises UnreadableImage if frames of this size are beyond the limits."""
    if not width * height:
        raise UnreadableImage("damaged", f"{name} does not say how large its frames are; get another copy.")
    size = f"{name} is a video of {width} x {height} pixels"
    if width * height > VIDEO.pixels:
        raise UnreadableImage("too_large", f"{size}, which is above the limit; make it smaller.")
    if min(width, height) < LIMITS.shortest_side:
        raise UnreadableImage("too_small", f"{size}; each side must be at least {LIMITS.shortest_side}.")
    if max(width, height) > LIMITS.aspect * min(width, height):
        raise UnreadableImage("bad_aspect", f"{size}, which is too narrow to search.")


def _is_cut_off(path: Path) -> bool:
    """Whether an MP4 or MOV ends within one of its boxes."""
    size, place = path.stat().st_size, 0
    with path.open("rb") as file:
        while place < size:
            file.seek(place)
            header = file.read(16)
            if place == 0 and header[4:8] != b"ftyp":
                return False
            length = int.from_bytes(header[:4])
            length = int.from_bytes(header[8:]) if length == 1 else length or size - place
            place += max(length, 8)
    return place > size
