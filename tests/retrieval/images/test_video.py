"""Videos: one picture a shot, the frame at a moment, facts; upright and in the right colours."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from retrieval import optional_packages
from retrieval.errors import UnreadableImage
from retrieval.images.limits import VIDEO
from retrieval.images.video import facts, frame_at, key_frames
from retrieval.optional_packages import OptionalPackage
from retrieval.types import Image
from tests.clips import SIZE, add_sound, av, scene, shots, write_clip

RED, GREEN, BLUE, YELLOW = (200, 30, 40), (30, 180, 60), (40, 60, 190), (220, 210, 90)
KINDS = {
    "h264.mp4": {},
    "h265-10-bits.mp4": {"codec": "libx265", "pixels": "yuv420p10le", "x265-params": "log-level=none"},
    "prores.mov": {"codec": "prores_ks", "pixels": "yuv422p10le"},
    "mjpeg.mov": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "h264-rgb.mkv": {"codec": "libx264rgb", "pixels": "rgb24"},
    "ffv1.mkv": {"codec": "ffv1"},
    "vp8.webm": {"codec": "libvpx"},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg4-with-b-frames.avi": {"codec": "mpeg4", "bf": "2"},
    "h264-with-b-frames.avi": {},
    "raw.avi": {"codec": "rawvideo"},
    "mpeg2.ts": {"codec": "mpeg2video"},
    "mpeg2.mpg": {"codec": "mpeg2video", "rate": 25},
    "wmv2.wmv": {"codec": "wmv2"},
    "flv.flv": {"codec": "flv"},
    "with-sound.mp4": {"sound": True},
}


def quarters() -> Image:
    """Red and green above blue and yellow."""
    rows = [np.repeat([[left, right]], 80, axis=1) for left, right in ((RED, GREEN), (BLUE, YELLOW))]
    return np.repeat(np.concatenate(rows), 45, axis=0).astype(np.uint8)


def corner_colours(image: Image) -> list[list[int]]:
    height, width = image.shape[:2]
    places = [(height // 5, width // 5), (height // 5, width * 4 // 5)]
    places += [(height * 4 // 5, width // 5), (height * 4 // 5, width * 4 // 5)]
    return [image[place].tolist() for place in places]


def assert_close(colours: list[list[int]], expected: tuple[tuple[int, ...], ...], most: int = 4) -> None:
    assert np.abs(np.array(colours) - np.array(expected)).max() <= most, colours


def shows(image: Image, seed: int) -> bool:
    return float(np.abs(image.astype(int) - scene(seed)).mean()) < 20


def times_of(path: Path) -> list[float]:
    return [seconds for seconds, _ in key_frames(path)]


@pytest.mark.parametrize("kind", KINDS)
def test_one_picture_of_each_shot_and_the_same_at_its_time(tmp_path, kind):
    options = dict(KINDS[kind])
    rate = options.setdefault("rate", 10)
    path = write_clip(tmp_path / kind, shots(1, 2, 3, frames=2 * rate), **options)
    found = list(key_frames(path))
    assert [int(seconds // 2) for seconds, _ in found] == [0, 1, 2]
    for seed, (seconds, picture) in enumerate(found, 1):
        assert seconds == round(seconds, 2)
        assert shows(picture.image, seed) and picture.size == SIZE
        assert np.array_equal(frame_at(path, seconds).image, picture.image)


def test_the_same_pictures_each_time(tmp_path):
    path = write_clip(tmp_path / "a.mp4", shots(1, 2, 3))
    first, second = list(key_frames(path)), list(key_frames(path))
    assert [seconds for seconds, _ in first] == [seconds for seconds, _ in second]
    assert all(np.array_equal(a.image, b.image) for (_, a), (_, b) in zip(first, second, strict=True))


def test_pictures_are_read_only(tmp_path):
    path = write_clip(tmp_path / "a.mp4", shots(1))
    with pytest.raises(ValueError, match="read-only"):
        frame_at(path, 0).image[0] = 0


def test_frame_that_is_shown_at_a_time(tmp_path):
    path = write_clip(tmp_path / "a.mp4", shots(1, 2, 3), rate=10)
    assert [shows(frame_at(path, seconds).image, seed) for seconds, seed in ((0, 1), (1.99, 1), (2, 2), (2.05, 2))]
    assert shows(frame_at(path, 3.99).image, 2)
    assert shows(frame_at(path, -5).image, 1)
    assert shows(frame_at(path, 1000).image, 3)


def test_cuts_within_long_groups_are_found(tmp_path):
    path = write_clip(tmp_path / "a.mp4", shots(1, 2, 3, 4), g="1000", sc_threshold="0", forced_idr="1")
    with av.open(str(path)) as container:
        assert sum(packet.is_keyframe for packet in container.demux(video=0)) == 1
    assert [int(seconds // 2) for seconds in times_of(path)] == [0, 1, 2, 3]


def test_costly_long_groups_need_only_key_frames(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4", shots(1, 2, 3, frames=40))
    monkeypatch.setattr("retrieval.images.video_decoder.COSTLY", 0.0)
    assert [int(seconds // 4) for seconds in times_of(path)] == [0, 1, 2]
    hidden = write_clip(tmp_path / "b.mp4", shots(1, 2, frames=40), g="1000", sc_threshold="0")
    assert [int(seconds // 4) for seconds in times_of(hidden)] == [0, 1]


def test_a_costly_group_after_one_that_is_decoded(tmp_path, monkeypatch):
    """The key frame of a group is looked at, however near the last frame before it."""
    still, noise = scene(1), np.random.default_rng(0)
    noisy = [(scene(2) // 2 + noise.integers(0, 128, still.shape)).astype(np.uint8) for _ in range(90)]
    frames = [*[still] * 90, *noisy]
    path = write_clip(tmp_path / "a.mp4", frames, rate=30, qp="10", g="90", keyint_min="90")
    monkeypatch.setattr("retrieval.images.video_decoder.COSTLY", 0.01)
    monkeypatch.setattr("retrieval.images.video_decoder.PIXELS_A_SECOND", 1e12)
    monkeypatch.setattr("retrieval.images.video_decoder.BYTES_A_SECOND", 1e6)
    assert [int(seconds // 3) for seconds in times_of(path)] == [0, 1]


def test_scenes_that_come_again_give_one_picture(tmp_path):
    assert len(times_of(write_clip(tmp_path / "a.mp4", shots(1, 2, 1, 2, 1, 2)))) == 2


def test_a_still_scene_gives_one_picture(tmp_path):
    assert len(times_of(write_clip(tmp_path / "a.mp4", shots(1, frames=350)))) == 1


def test_a_long_changing_shot_gives_a_picture_each_ten_seconds(tmp_path):
    wide = scene(1, (1200, 90))
    frames = [wide[:, 2 * place : 2 * place + 160] for place in range(400)]
    times = times_of(write_clip(tmp_path / "a.mp4", frames))
    assert len(times) >= 4
    assert all(later - earlier <= 2 * VIDEO.longest_gap for earlier, later in pairwise([0, *times, 40]))


def test_no_more_pictures_a_minute_than_the_limit(tmp_path):
    times = times_of(write_clip(tmp_path / "a.mp4", shots(*range(120), frames=5)))
    assert VIDEO.a_minute / 2 < len(times) <= VIDEO.a_minute
    assert max(times) > 50


def test_no_more_pictures_than_the_limit(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4", shots(1, 2, 3))
    monkeypatch.setattr("retrieval.images.video.VIDEO", replace(VIDEO, pictures=2))
    assert len(times_of(path)) == 2


def test_blank_frames_and_fades_are_not_chosen(tmp_path):
    black = [np.zeros((90, 160, 3), np.uint8)] * 30
    light = np.linspace(0, 1, 21)[:, None, None, None]
    fade = list((light * scene(1)).astype(np.uint8))
    found = list(key_frames(write_clip(tmp_path / "a.mp4", [*black, *fade, *shots(1), *fade[::-1], *black])))
    assert len(found) == 1
    assert shows(found[0][1].image, 1)


def test_a_scene_that_turns_into_another_is_not_chosen_midway(tmp_path):
    share = np.linspace(0, 1, 11)[:, None, None, None]
    mixed = list((scene(1) * (1 - share) + scene(2) * share).astype(np.uint8))
    found = list(key_frames(write_clip(tmp_path / "a.mp4", [*shots(1), *mixed, *shots(2)])))
    assert [shows(picture.image, seed) for seed, (_, picture) in enumerate(found, 1)] == [True, True]


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), (RED, GREEN, BLUE, YELLOW)),
        ((0, 1, -1, 0), (BLUE, RED, YELLOW, GREEN)),
        ((-1, 0, 0, -1), (YELLOW, BLUE, GREEN, RED)),
        ((0, -1, 1, 0), (GREEN, YELLOW, RED, BLUE)),
        ((-1, 0, 0, 1), (GREEN, RED, YELLOW, BLUE)),
        ((0, 1, 1, 0), (RED, BLUE, GREEN, YELLOW)),
    ],
)
def test_display_matrix(tmp_path, matrix, expected):
    a, b, c, d = (65536 * value for value in matrix)
    path = write_clip(tmp_path / "a.mp4", [quarters()] * 5, matrix=(a, b, 0, c, d, 0, 0, 0, 1 << 30), qp="2")
    picture = frame_at(path, 0)
    assert_close(corner_colours(picture.image), expected)
    assert picture.size == picture.image.shape[1::-1] == (SIZE if a else SIZE[::-1])
    assert (facts(path).width, facts(path).height) == picture.size


@pytest.mark.parametrize(("aspect", "size"), [("16/11", (233, 90)), ("8/11", (160, 124)), ("1/100", SIZE)])
def test_oblong_pixels(tmp_path, aspect, size):
    path = write_clip(tmp_path / "a.mkv", [quarters()] * 5, aspect=Fraction(aspect))
    assert frame_at(path, 0).size == size
    assert frame_at(path, 0).image.shape[1::-1] == size


def coloured(path: Path, matrix: int, full: bool, pixels: str, codec: str = "libx264", **tags: int) -> list[list[int]]:
    """Write a video with colours stored in a certain way; return those that are read."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options={"qp": "1", "threads": "1"})
        if codec == "libx265":
            stream.options["x265-params"] = "log-level=none:qp=2"
        stream.width, stream.height, stream.pix_fmt = *SIZE, pixels
        context = stream.codec_context
        context.colorspace, context.color_range = matrix, 2 if full else 1
        for name, value in tags.items():
            setattr(context, name, value)
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(quarters(), format="rgb24").reformat(
                format=pixels, dst_colorspace={2: 5, 6: 5}.get(matrix, matrix), dst_color_range=2 if full else 1
            )
            frame.colorspace = matrix
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return corner_colours(frame_at(path, 0).image)


@pytest.mark.parametrize(
    ("matrix", "full", "pixels"),
    [(1, False, "yuv420p"), (6, False, "yuv420p"), (2, False, "yuv420p"), (1, True, "yuv420p"), (6, True, "yuvj420p")],
)
def test_colour_matrix_and_range(tmp_path, matrix, full, pixels):
    colours = coloured(tmp_path / "a.mp4", matrix, full, pixels)
    assert_close(colours, (RED, GREEN, BLUE, YELLOW))


def test_colours_of_ten_bits(tmp_path):
    colours = coloured(tmp_path / "a.mp4", 9, False, "yuv420p10le", "libx265")
    assert_close(colours, (RED, GREEN, BLUE, YELLOW))


def test_interlaced_video(tmp_path):
    even, odd = scene(1), scene(2)
    woven = even.copy()
    woven[1::2] = odd[1::2]
    options = {"codec": "mpeg2video", "pixels": "yuv422p", "flags": "+ildct+ilme", "qmax": "2"}
    path = write_clip(tmp_path / "a.mpg", [woven] * 5, rate=25, **options)
    image = frame_at(path, 0).image
    assert image.shape == even.shape
    assert np.abs(image.astype(int) - even).mean() < 20


@pytest.mark.parametrize(("enough", "longest"), [(None, 160), (1000, 160), (100, 100), (1, 1)])
def test_enough_is_the_longest_side(tmp_path, enough, longest):
    ((_, picture),) = key_frames(write_clip(tmp_path / "a.mp4", shots(1)), enough)
    assert max(picture.image.shape[:2]) == longest
    assert picture.size == SIZE


def test_start_other_than_zero(tmp_path):
    times = [5000 + 100 * place for place in range(60)]
    path = write_clip(tmp_path / "a.mkv", shots(1, 2, 3), times=times)
    assert [int(seconds // 2) for seconds in times_of(path)] == [0, 1, 2]
    assert shows(frame_at(path, 2.5).image, 2)


def test_variable_frame_rate(tmp_path):
    frames = [scene(1)] * 3 + [scene(2)] * 3
    path = write_clip(tmp_path / "a.mp4", frames, times=[0, 10, 20, 30_000, 31_500, 40_000])
    assert [int(seconds >= 30) for seconds in times_of(path)] == [0, 1]
    assert shows(frame_at(path, 29).image, 1) and shows(frame_at(path, 30.5).image, 2)


def test_many_frames_a_second(tmp_path):
    path = write_clip(tmp_path / "a.mp4", shots(1, 2, frames=250), rate=250)
    for seconds, picture in key_frames(path):
        assert np.array_equal(frame_at(path, seconds).image, picture.image)


def test_facts(tmp_path):
    found = facts(write_clip(tmp_path / "a.webm", shots(1, 2), codec="libvpx-vp9"))
    assert (found.seconds, found.width, found.height, found.codec) == (4.0, *SIZE, "vp9")


def test_time_of_recording(tmp_path):
    path = write_clip(tmp_path / "a.mp4", shots(1, 2), metadata={"creation_time": "2023-05-01T10:00:00Z"})
    assert frame_at(path, 3.5).taken == datetime(2023, 5, 1, 10, 0, 3)
    local = {"creation_time": "2023-05-01T10:00:00Z", "com.apple.quicktime.creationdate": "2023-05-01T12:00:00+0200"}
    path = write_clip(tmp_path / "b.mov", shots(1), metadata=local, container_options={"movflags": "use_metadata_tags"})
    assert frame_at(path, 0).taken == datetime(2023, 5, 1, 12)


@pytest.mark.parametrize("written", ["1904-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "yesterday"])
def test_no_time_of_recording(tmp_path, written):
    path = write_clip(tmp_path / "a.mkv", shots(1), metadata={"creation_time": written})
    assert frame_at(path, 0).taken is None


def test_missing_package_is_named(tmp_path, monkeypatch):
    missing = OptionalPackage("av", "no_such_module", "video")
    monkeypatch.setattr("retrieval.images.video.PYAV", missing)
    with pytest.raises(UnreadableImage, match=r"a\.mp4 needs the package av.*\[video\]") as raised:
        facts(tmp_path / "a.mp4")
    assert raised.value.reason == "package"
    assert optional_packages.PYAV.extra == "video"


def test_sound_is_not_read(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        add_sound(container, 1)
    with pytest.raises(UnreadableImage, match="only sound") as raised:
        list(key_frames(path))
    assert raised.value.reason == "no_video"
