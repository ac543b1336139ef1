"""Decode as few frames of a video as show its shots, or the frame at a moment.

A group is a key frame and the frames up to the next one. Of a short group only the key frame is decoded, and a few
frames more if a shot begins there. Of a long group all frames are decoded that others refer to, unless it is costly
and the sizes of its compressed frames show no cut. Which is done depends on the file alone, not on time.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from av.error import FFmpegError
from av.error import MemoryError as OutOfMemory
from av.packet import Packet as AnyPacket
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from retrieval.errors import UnreadableImage
from retrieval.images.decode import LoadedImage
from retrieval.images.limits import VIDEO
from retrieval.images.shots import CUT_CELLS, Sample, difference
from retrieval.images.video_file import VideoFile, check_size
from retrieval.images.video_frames import Sampler, shown_size, upright_image

SHORT_GROUP = 2.5
"""Seconds of a group of which only the key frame is decoded."""
KEY_STEP, STEP = 0.4, 0.08
"""Least seconds between samples: of key frames, of others."""
KEYS_A_PICTURE = 8
"""Key frames that are decoded for a picture of a very long video."""
AFTER_CUT = 0.6
"""Seconds of a group that are decoded if a shot begins with its key frame."""
PIXELS_A_SECOND, BYTES_A_SECOND = 8e8, 1.2e7
"""What one core decodes of H.264 without the frames that no other refers to: pixels of frames, and compressed bytes."""
SLOWER = {"hevc": 2.0, "vvc": 4.0, "vp9": 1.5, "av1": 1.5}
"""How much longer other codecs take."""
COSTLY = 1 / 12
"""Decoding is costly if it takes longer than this share of the duration."""
CUT_SHARE, CUT_TIMES, USUAL = 0.2, 1.3, 0.95
"""A compressed frame may begin a shot if it is larger than this share of the key frame, and this many times as large as
a usual one: all but a twentieth of the group are smaller than that."""
STARTING = 4
"""Frames after a key frame that are larger than usual."""
ROUNDED = 0.005
"""Largest difference of a time that is rounded to two decimals."""
FAST = 100
"""Frames a second from which several frames have the same rounded time."""


if TYPE_CHECKING:
    Packet: TypeAlias = AnyPacket[VideoStream]
else:
    Packet = AnyPacket  # takes no parameters when it runs
TimedFrame = tuple[float, VideoFrame]
"""Seconds from the start, and the frame."""


@dataclass(frozen=True, slots=True)
class Group:
    """Compressed frames in the order of decoding: a group, or a part of a very long one."""

    packets: Sequence[Packet]
    starts: bool
    """Whether the first is a key frame."""
    complete: bool
    """Whether a key frame or the end follows."""

    @property
    def bytes(self) -> int:
        return sum(packet.size for packet in self.packets)


class VideoDecoder:
    """Decodes frames of an open file once, in order of time."""

    def __init__(self, file: VideoFile) -> None:
        self.file = file
        self.decoder = file.stream.codec_context
        self.sampler = Sampler()
        self.seen = 0
        """Number of samples."""
        self._share = file.seconds / VIDEO.pictures
        """Seconds of a very long video that one picture stands for."""
        self._errors = 0
        self._pixels = 0
        self._from: float | None = None
        """Time of the key frame at which decoding started: frames before it lack what they refer to."""
        self._broken = False
        """Whether an error makes everything up to the next key frame unusable."""
        self._last_time = -1 / float(file.rate)
        self._last: Sample[VideoFrame] | None = None
        self._fresh = True
        """Whether the last sample may begin a shot."""

    def samples(self) -> Iterator[Sample[VideoFrame]]:
        """Frames to compare, in order of time. Damaged parts are left out."""
        self.decoder.skip_frame = "NONREF" if self._has_times else "DEFAULT"
        for time, frame in self._worth_a_look():
            seconds = round(time, 2)
            step = 0.01 if frame.key_frame else STEP
            if frame.is_corrupt or (self._last is not None and seconds < self._last.seconds + step):
                continue
            sample = self.sampler.sample(frame, seconds)
            new = self._last is None or difference(sample.cells(), self._last.cells()) > CUT_CELLS
            self._last, self._fresh = sample, new or sample.blank
            self.seen += 1
            yield sample

    def frame_at(self, seconds: float, earlier: float) -> VideoFrame | None:
        """The frame that is shown at a time, searched from `earlier` seconds before it; infinite is from the start.

        None if the search has to start earlier. From the start, a time before the first frame gives this one. A time
        after the end gives the last frame.
        """
        seconds = round(min(max(seconds, 0.0), VIDEO.seconds), 2)
        if seconds <= earlier:
            earlier = math.inf
        if earlier < math.inf and not (self._has_times and self._seek(seconds - earlier)):
            return None
        self.decoder.skip_frame = "NONREF" if self._has_times and self.file.rate > FAST else "DEFAULT"
        best, shown = None, -1.0
        for time, frame in self._all(chain(self._packets(), [None])):
            now = round(time, 2)
            if now > seconds:
                return best or (frame if earlier == math.inf else None)
            if now > shown:
                best, shown = frame, now
        return best

    @property
    def _has_times(self) -> bool:
        """Whether frames have their times. An AVI numbers them in the order of decoding, so they are counted."""
        return self.file.container.format.name != "avi" or not self.decoder.has_b_frames

    def first_frame(self) -> VideoFrame:
        """Raises UnreadableImage."""
        _, frame = next(self._all(chain(self._packets(), [None])), (0, None))
        if frame is None:
            raise self.nothing()
        return frame

    def key_times(self, most: int) -> list[float]:
        """The times of key frames, the first `most`. Nothing is decoded."""
        times, begin = set[float](), self.file.begin
        for packet in self._packets():
            if packet.is_keyframe and packet.pts is not None:
                times.add(round(max(float(packet.pts * self.file.time_base - begin), 0.0), 2))
                if len(times) == most:
                    break
        return sorted(times)

    def picture(self, frame: VideoFrame, seconds: float, enough: int | None = None) -> LoadedImage:
        """A frame as it is shown."""
        size = shown_size(frame, self.file.stream.sample_aspect_ratio)
        return LoadedImage(upright_image(frame, size, enough), *size, self.file.taken(seconds))

    def nothing(self) -> UnreadableImage:
        """Why a video gives no picture."""
        name = self.file.name
        if self.seen:
            return UnreadableImage("blank", f"{name} shows nothing: all its frames are blank.")
        return UnreadableImage("damaged", f"{name} has no frame that can be decoded; get another copy.")

    def _seek(self, seconds: float) -> bool:
        """Go to the last key frame before a time; whether that is possible."""
        begin = self.file.begin + Fraction(seconds + ROUNDED)
        try:
            self.file.container.seek(int(begin / self.file.time_base), stream=self.file.stream)
        except OutOfMemory:
            raise
        except FFmpegError:  # not every file can be searched
            return False
        self._flush()
        return True

    def _packets(self) -> Iterator[Packet]:
        """The compressed frames. Reading goes on after errors."""
        count = 0
        while self._errors < VIDEO.errors:
            try:
                for packet in self.file.container.demux(self.file.stream):
                    if packet.size:
                        yield packet
                    count += 1
                    if count > VIDEO.packets or self._is_exhausted:
                        return
                return
            except IndexError:  # a packet of a stream that was not there at first
                count += 1
            except OutOfMemory:
                raise
            except FFmpegError:
                self._errors += 1

    def _groups(self) -> Iterator[Group]:
        packets, size, starts = list[Packet](), 0, False
        for packet in self._packets():
            if packets and packet.is_keyframe:
                yield Group(packets, starts, complete=True)
                packets, size = [], 0
            elif size > VIDEO.group_bytes or len(packets) >= VIDEO.group_frames:
                yield Group(packets, starts, complete=False)
                packets, size = [], 0
            if not packets:
                starts = packet.is_keyframe
            packets.append(packet)
            size += packet.size
        if packets:
            yield Group(packets, starts, complete=True)

    def _worth_a_look(self) -> Iterator[TimedFrame]:
        for group in self._groups():
            if not self._needs_only_key(group):
                yield from self._all(group.packets)
            elif group.starts and self._is_due(group):
                yield from self._all([group.packets[0], None])
                if self._fresh and not self._is_tired:  # the key frame, which `samples` has seen meanwhile
                    yield from self._all([*self._first(group, AFTER_CUT), None])
        yield from self._all([None])

    def _is_due(self, group: Group) -> bool:
        """Whether the key frame is looked at: of many short groups, only some are."""
        time = self._packet_time(group.packets[0])
        step = max(KEY_STEP, self._share / KEYS_A_PICTURE)
        if self._last is None or time is None or self._length(group) >= step:
            return True
        return time >= self._last.seconds + step

    def _needs_only_key(self, group: Group) -> bool:
        if self._is_tired:
            return True
        if not self._has_times:
            return False
        seconds = self._length(group)
        if not group.starts or not group.complete or seconds > VIDEO.longest_gap + 1:
            return False
        if seconds <= max(SHORT_GROUP, self._share / 4):
            return True
        cost = len(group.packets) / 2 * self.file.pixels / PIXELS_A_SECOND + group.bytes / BYTES_A_SECOND
        return cost * SLOWER.get(self.file.codec, 1.0) > COSTLY * seconds and not _may_have_cut(group)

    def _length(self, group: Group) -> float:
        """Seconds."""
        times = [time for time in map(self._packet_time, group.packets) if time is not None]
        counted = len(group.packets) / float(self.file.rate)
        return max(times) - min(times) + 1 / float(self.file.rate) if times else counted

    def _first(self, group: Group, seconds: float) -> Sequence[Packet]:
        """The packets that the frames of the first seconds need."""
        times = [self._packet_time(packet) or 0.0 for packet in group.packets]
        wanted = [place for place, time in enumerate(times) if time <= times[0] + seconds]
        return group.packets[: wanted[-1] + 1]

    def _all(self, packets: Iterable[Packet | None]) -> Iterator[TimedFrame]:
        """The frames of these packets. The last ones follow only after None, which ends the decoding."""
        for packet in packets:
            yield from self._decoded(packet)
            if packet is None:
                self._flush()

    def _decoded(self, packet: Packet | None) -> Iterator[TimedFrame]:
        if packet is not None and packet.is_keyframe and (self._broken or self._from is None):
            self._from, self._broken = self._packet_time(packet), False
        if self._broken or self._is_exhausted:
            return
        try:
            frames = self.decoder.decode(packet)
        except OutOfMemory:
            raise
        except FFmpegError:
            self._errors += 1
            self._flush()
            self._broken = True
            return
        for frame in frames:
            check_size(frame.width, frame.height, self.file.name)
            self._pixels += frame.width * frame.height
            time = self._seconds(frame.pts if frame.pts is not None else frame.dts) if self._has_times else None
            if time is None:
                time = self._last_time + 1 / float(self.file.rate)
            self._last_time = time
            if (self._from is None or time >= self._from) and time <= VIDEO.seconds:
                yield max(time, 0.0), frame

    @property
    def _is_tired(self) -> bool:
        """Whether only key frames are decoded from now on."""
        return self._pixels > VIDEO.decoded_pixels

    @property
    def _is_exhausted(self) -> bool:
        return self._pixels > 2 * VIDEO.decoded_pixels

    def _packet_time(self, packet: Packet) -> float | None:
        return self._seconds(packet.pts if packet.pts is not None else packet.dts)

    def _seconds(self, stamp: int | None) -> float | None:
        """Seconds from the start."""
        return None if stamp is None else float(stamp * self.file.time_base - self.file.begin)

    def _flush(self) -> None:
        self.decoder.flush_buffers()
        self._from, self._broken = None, False


def _may_have_cut(group: Group) -> bool:
    """Whether a shot may begin within a group: one of its frames stands out and holds much that is new."""
    key, *sizes = (packet.size for packet in group.packets)
    others = sorted(sizes[STARTING:])
    if not others:
        return False
    usual = others[int(USUAL * (len(others) - 1))]
    return others[-1] > max(CUT_SHARE * key, CUT_TIMES * usual)
