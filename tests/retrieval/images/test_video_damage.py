"""Videos that are cut off, damaged, made to harm, or no videos: a sentence, or the pictures that are whole."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from retrieval.errors import UnreadableImage
from retrieval.images.limits import VIDEO
from retrieval.images.video import facts, frame_at, key_frames
from tests.clips import SIZE, av, scene, shots, write_clip


def refusal(path: Path) -> str:
    """The reason for which a file is refused by every function."""
    reasons = set()
    for read in (lambda: list(key_frames(path)), lambda: frame_at(path, 1.0)):
        with pytest.raises(UnreadableImage) as raised:
            read()
        reasons.add(raised.value.reason)
        assert str(raised.value).endswith(".") and path.name in str(raised.value)
    (reason,) = reasons
    return reason


def saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def seeds_shown(path: Path) -> list[int]:
    """The scenes of the pictures, all of which must show one of scenes 1 to 3."""
    seeds = []
    for _, picture in key_frames(path):
        differences = [np.abs(picture.image.astype(int) - scene(seed)).mean() for seed in (1, 2, 3)]
        assert min(differences) < 20
        seeds.append(1 + int(np.argmin(differences)))
    return seeds


@pytest.mark.parametrize("kind", ["a.mkv", "a.ts", "a.mp4"])
def test_r82_a_file_that_is_cut_off_gives_what_is_there(tmp_path, kind):
    path = write_clip(tmp_path / kind, shots(1, 2, 3), container_options={"movflags": "faststart"})
    data = path.read_bytes()
    assert seeds_shown(saved(tmp_path / f"cut-{kind}", data[: len(data) * 7 // 10]))[0] == 1


def test_r82_an_mp4_without_its_end_is_cut_off(tmp_path):
    data = write_clip(tmp_path / "a.mp4", shots(1, 2, 3)).read_bytes()
    assert refusal(saved(tmp_path / "cut.mp4", data[: len(data) // 2])) == "truncated"


@pytest.mark.parametrize("kind", ["a.mp4", "a.mkv", "a.webm", "a.avi", "a.ts"])
@pytest.mark.parametrize("share", [0.0003, 0.003, 0.03])
def test_r82_damaged_bytes(tmp_path, kind, share):
    codec = {"a.webm": "libvpx", "a.avi": "mpeg4", "a.ts": "mpeg2video"}.get(kind, "libx264")
    data = write_clip(tmp_path / kind, shots(1, 2, 3), codec=codec).read_bytes()
    for seed in range(5):
        rng = np.random.default_rng(seed)
        damaged = np.frombuffer(data, np.uint8).copy()
        places = rng.integers(16, len(data), max(int(share * len(data)), 1))
        damaged[places] = rng.integers(0, 256, len(places))
        path = saved(tmp_path / f"{seed}-{kind}", damaged.tobytes())
        for read in (lambda path=path: list(key_frames(path)), lambda path=path: frame_at(path, 2.0)):
            try:
                read()
            except UnreadableImage as error:
                assert error.reason in {"damaged", "truncated", "no_video", "codec", "too_large", "bad_aspect", "blank"}


def test_r82_a_damaged_shot_does_not_hide_the_others(tmp_path):
    path = write_clip(tmp_path / "a.mkv", shots(1, 2, 3), codec="libx264", g="20", keyint_min="1", bf="0")
    with av.open(str(path)) as container:
        keys = [bytes(packet) for packet in container.demux(video=0) if packet.is_keyframe]
    data = path.read_bytes()
    at = data.index(keys[1])
    assert seeds_shown(saved(path, data[: at + 20] + bytes(len(keys[1]) - 20) + data[at + len(keys[1]) :])) == [1, 3]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (bytes(10_000), "damaged"),
        (b"no video\n" * 100, "damaged"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\na.mp4\n#EXT-X-ENDLIST\n", "damaged"),
        (b"ffconcat version 1.0\nfile 'a.mp4'\n", "damaged"),
    ],
    ids=["empty", "zeros", "text", "play list", "list of files"],
)
def test_r82_files_that_are_no_videos(tmp_path, data, reason):
    write_clip(tmp_path / "a.mp4", shots(1))
    assert refusal(saved(tmp_path / "b.mp4", data)) == reason


def test_a_picture_with_the_name_of_a_video(tmp_path):
    Pillow.fromarray(scene(1)).save(tmp_path / "a.jpg")
    os.replace(tmp_path / "a.jpg", tmp_path / "a.mp4")
    assert refusal(tmp_path / "a.mp4") == "damaged"


def test_missing_files_and_folders(tmp_path):
    assert refusal(tmp_path / "none.mp4") == "missing"
    (tmp_path / "folder.mp4").mkdir()
    assert refusal(tmp_path / "folder.mp4") == "special"


@pytest.mark.parametrize("name", ["a.avi", "a.jpg", "a", "http:a.mp4", "-i.mp4"])
def test_the_name_does_not_matter(tmp_path, name):
    write_clip(tmp_path / "b.mp4", shots(1, 2, 3))
    os.replace(tmp_path / "b.mp4", tmp_path / name)
    assert seeds_shown(tmp_path / name) == [1, 2, 3]


def test_r82_a_relative_path_is_no_address(tmp_path, monkeypatch):
    write_clip(tmp_path / "b.mp4", shots(1))
    os.replace(tmp_path / "b.mp4", tmp_path / "http:a.mp4")
    monkeypatch.chdir(tmp_path)
    assert seeds_shown(Path("http:a.mp4")) == [1]


@pytest.mark.parametrize("kind", ["a.mkv", "a.mp4"])
def test_r82_a_day_with_two_frames(tmp_path, kind):
    path = write_clip(tmp_path / kind, [scene(1), scene(2)], times=[0, 86_400_000])
    assert [seconds for seconds, _ in key_frames(path)] == [0, 86_400]


def test_r82_a_day_of_one_scene(tmp_path):
    path = write_clip(tmp_path / "a.mkv", [scene(1)] * 100, times=[864_000 * place for place in range(100)])
    assert len(list(key_frames(path))) == 1


def test_r82_times_of_thousands_of_years(tmp_path):
    path = write_clip(tmp_path / "a.mkv", [scene(1), scene(2)], times=[0, 2**45])
    assert seeds_shown(path)[0] == 1
    assert frame_at(path, 1e9).image.shape == (*SIZE[::-1], 3)


def test_r82_frames_above_the_limit(tmp_path):
    grey = np.zeros((6000, 6400, 3), np.uint8)
    path = write_clip(tmp_path / "a.mp4", [grey], codec="mjpeg", pixels="yuvj420p")
    with pytest.raises(UnreadableImage, match="6400 x 6000 pixels, which is above the limit"):
        facts(path)
    assert refusal(path) == "too_large"


def test_r82_frames_that_grow_above_the_limit(tmp_path):
    """A raw stream whose later frames are larger than it says at first."""
    small = write_clip(tmp_path / "a.ts", shots(1), codec="mpeg2video").read_bytes()
    large = write_clip(tmp_path / "b.ts", [np.zeros((4000, 10_000, 3), np.uint8)] * 2, codec="mpeg2video")
    found = list(key_frames(saved(tmp_path / "c.ts", small + large.read_bytes())))
    assert [picture.size for _, picture in found] == [SIZE]


def test_frames_that_are_too_narrow(tmp_path):
    path = write_clip(tmp_path / "a.mkv", [np.zeros((2000, 16, 3), np.uint8)], codec="ffv1")
    assert refusal(path) == "bad_aspect"


def test_r82_a_declared_size_is_not_trusted(tmp_path):
    data = bytearray(write_clip(tmp_path / "a.mp4", shots(1, 2, 3)).read_bytes())
    at = data.index(b"avc1", data.index(b"stsd")) + 28
    data[at : at + 4] = b"\xff\xff\xff\xff"
    assert len(list(key_frames(saved(tmp_path / "a.mp4", bytes(data))))) == 3


def test_a_file_without_frames(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        container.start_encoding()
    assert refusal(tmp_path / "a.mp4") in {"no_video", "damaged"}


def test_only_blank_frames(tmp_path):
    path = write_clip(tmp_path / "a.mp4", [np.full((90, 160, 3), 7, np.uint8)] * 20)
    with pytest.raises(UnreadableImage, match="all its frames are blank"):
        list(key_frames(path))


def test_r82_work_is_bounded(tmp_path, monkeypatch):
    """Beyond the limit of decoded pixels only key frames are decoded, then nothing."""
    path = write_clip(tmp_path / "a.mp4", [scene(seed) for seed in range(100)], rate=1, g="10", sc_threshold="0")
    whole = [seconds for seconds, _ in key_frames(path)]
    frame = SIZE[0] * SIZE[1]
    monkeypatch.setattr("retrieval.images.video_decoder.VIDEO", replace(VIDEO, decoded_pixels=12 * frame))
    found = [seconds for seconds, _ in key_frames(path)]
    assert 0 < len(found) < len(whole)
    assert max(found) < max(whole)
    assert all(seconds % 10 == 0 for seconds in found if seconds >= 40)


def test_cover_of_a_song_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mp3"), "w") as container:
        sound = container.add_stream("libmp3lame", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = *SIZE, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(scene(1), format="rgb24")))
        container.mux(cover.encode())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    assert refusal(tmp_path / "a.mp3") == "damaged"  # MP3 is no container of videos
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = *SIZE, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(scene(1), format="rgb24")))
        container.mux(cover.encode())
    assert refusal(tmp_path / "a.mp4") == "no_video"
