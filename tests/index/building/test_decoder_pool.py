"""An image that crashes or hangs the decoder affects no other image."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import types
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from PIL import Image as Pillow

from boxfind.visitor_pictures import QUERY_PIXELS
from index.building import decode_tasks as tasks
from index.building import worker_process
from index.building.build import build
from index.building.decode_tasks import DecodedImage, Unchanged
from index.building.decoder_pool import DecoderPool
from index.building.thread_executor import ThreadExecutor
from index.gallery import open_gallery
from index.storage.keypoint_codec import RECORD
from index.storage.skipped_files import read_skipped
from retrieval.errors import Busy, UnreadableImage
from retrieval.images.decode import decode_image, load_image, read_file
from retrieval.images.resize import resize_image
from tests.tiny import TINY_EMBEDDER


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A valid image that takes more than a second to decode."""
    row = np.random.default_rng(0).integers(0, 65536, (1, 9000), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "slow.png"), np.repeat(row, 9000, axis=0), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return tmp_path / "slow.png"


@pytest.fixture
def slow_gallery(gallery: Path, slow: Path) -> Path:
    slow.rename(gallery / "slow.png")
    return gallery


def workers() -> set[int]:
    return {child.pid for child in multiprocessing.active_children() if child.pid}


def kill_workers_at(started: threading.Event, before: set[int]) -> None:
    started.wait(30)
    time.sleep(0.3)
    for pid in workers() - before:
        os.kill(pid, signal.SIGKILL)


def test_a_decoded_image_has_everything_a_build_needs(gallery: Path, pool: DecoderPool):
    decoded = pool.decode_file(gallery / "3.png", 128)
    assert isinstance(decoded, DecodedImage)
    picture = load_image(gallery / "3.png")
    assert np.array_equal(decoded.pixels, picture)  # 128 x 96 is the network's input size
    assert (decoded.width, decoded.height, decoded.bytes) == (128, 96, (gallery / "3.png").stat().st_size)
    same = pool.decode_file(gallery / "3.png", 128, known=frozenset([decoded.sha256]))
    assert same == Unchanged(decoded.bytes, decoded.mtime, decoded.sha256)


def test_a_large_image_is_also_decoded_in_tiles(gallery: Path, pool: DecoderPool):
    decoded = pool.decode_file(gallery / "3.png", 64, tiled_from=128, tiles=2)
    assert isinstance(decoded, DecodedImage)
    assert decoded.pixels.shape == (64, 64, 3) and [tile.shape for tile in decoded.tiles] == [(64, 64, 3)] * 4
    corner = resize_image(load_image(gallery / "3.png")[:60, :80], 64, 64)  # of 128 x 96 pixels
    assert np.array_equal(decoded.tiles[0], corner)
    counts = []
    for tiles in (1, 2):
        found = pool.decode_file(gallery / "3.png", 64, 4, tiled_from=128, tiles=tiles)
        assert isinstance(found, DecodedImage)
        counts.append(len(found.keypoints) // RECORD.itemsize)
    assert counts == [4, 8]
    small = pool.decode_file(gallery / "3.png", 64, tiled_from=129, tiles=2)
    assert isinstance(small, DecodedImage) and small.tiles == ()


def test_keypoints_are_limited(gallery: Path, pool: DecoderPool):
    found = pool.decode_file(gallery / "3.png", 128, keypoints=500)
    assert isinstance(found, DecodedImage) and len(found.keypoints) > 4 * RECORD.itemsize
    for most in (4, 0):
        fewer = pool.decode_file(gallery / "3.png", 128, keypoints=most)
        assert isinstance(fewer, DecodedImage) and len(fewer.keypoints) == most * RECORD.itemsize


def test_decoding_uploaded_bytes(gallery: Path, pool: DecoderPool):
    data = read_file(gallery / "3.png")
    assert np.array_equal(pool.decode(data, "3.png").image, decode_image(data))
    with pytest.raises(UnreadableImage, match="x is empty") as caught:
        pool.decode(b"", "x")
    assert caught.value.reason == "empty"


def test_r59_a_large_picture_is_scaled_down_where_it_is_decoded(gallery: Path, pool: DecoderPool):
    data = read_file(gallery / "3.png")
    whole = decode_image(data)
    height, width = whole.shape[:2]
    small = pool.decode(data, "3.png", width * height // 4)
    assert (small.size, small.image.shape) == ((width, height), (height // 2, width // 2, 3))
    assert np.array_equal(pool.decode(data, "3.png", width * height).image, whole)
    assert QUERY_PIXELS >= 4032 * 3024  # a photograph of 12 megapixels keeps every pixel


def test_r59_a_worker_does_not_keep_the_picture_that_it_has_sent(tmp_path: Path):
    before = workers()
    for name, side in (("small", 64), ("large", 4000)):
        Pillow.new("RGB", (side, side), (9, 99, 200)).save(tmp_path / f"{name}.png")
    small, large = (tmp_path / "small.png").read_bytes(), (tmp_path / "large.png").read_bytes()
    with DecoderPool(1, keep_memory=False) as pool:
        pool.decode(small, "small.png")
        (worker,) = workers() - before
        start = psutil.Process(worker).memory_info().rss
        assert pool.decode(large, "large.png").image.nbytes == 48_000_000
        while psutil.Process(worker).cpu_percent(0.1) > 1:
            pass
        assert psutil.Process(worker).memory_info().rss < start + 30_000_000


def test_r16_a_decoder_that_dies_costs_one_picture(slow_gallery: Path, tmp_path: Path, monkeypatch):
    """Kill the worker from outside, as the OOM killer does."""
    before, started = workers(), threading.Event()
    decode_source = DecoderPool.decode_source

    def noticed(pool: DecoderPool, path: Path, *rest):
        if path.name == "slow.png":
            started.set()
        return decode_source(pool, path, *rest)

    monkeypatch.setattr(DecoderPool, "decode_source", noticed)
    killer = threading.Thread(target=kill_workers_at, args=[started, before])
    killer.start()
    with DecoderPool(1) as pool:
        built = build(slow_gallery, tmp_path / "index", ThreadExecutor(TINY_EMBEDDER, pool), lambda *_: None)
        killer.join()
        assert [(s.file, s.reason) for s in read_skipped(built)] == [("slow.png", "decoder_crash")]
        (slow_gallery / "slow.png").unlink()
        without = open_gallery(
            build(slow_gallery, tmp_path / "other", ThreadExecutor(TINY_EMBEDDER, pool), lambda *_: None)
        )
    opened = open_gallery(built)
    assert opened.tables.ids == without.tables.ids
    every = np.arange(
        opened.region_count
    )  # another number of files changes the order, and with it the last bit of sums
    assert opened.vectors(every) == pytest.approx(without.vectors(every), abs=1e-4)


def test_r83_a_worker_does_not_run_the_main_file(gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    main = types.ModuleType("__main__")
    main.__file__ = str(tmp_path / "page.py")
    Path(main.__file__).write_text("from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n")
    monkeypatch.setitem(sys.modules, "__main__", main)  # as while Streamlit runs a page
    with DecoderPool(1) as pool:
        assert isinstance(pool.decode_file(gallery / "1.png", 128), DecodedImage)
    assert not (tmp_path / "page.ran").exists()


def test_r16_an_idle_decoder_that_is_killed_costs_nothing(gallery: Path):
    before = workers()
    with DecoderPool(2) as pool:
        for _ in range(2):
            assert isinstance(pool.decode_file(gallery / "1.png", 128), DecodedImage)
            idle = workers() - before
            for worker in idle:
                os.kill(worker, signal.SIGKILL)
            while idle & workers():
                time.sleep(0.01)
        assert isinstance(pool.decode_file(gallery / "2.png", 128), DecodedImage)
    assert not workers() - before


def test_a_picture_that_comes_while_the_workers_stop_is_decoded(gallery: Path, monkeypatch: pytest.MonkeyPatch):
    before = workers()
    with DecoderPool(1) as pool:
        assert isinstance(pool.decode_file(gallery / "1.png", 128), DecodedImage)
        stopped = pool._pool
        for worker in workers() - before:
            os.kill(worker, signal.SIGKILL)
        while stopped.active:
            time.sleep(0.01)
        monkeypatch.setattr(stopped, "_check_pool_status", lambda: None)  # as just before it stopped
        assert isinstance(pool.decode_file(gallery / "2.png", 128), DecodedImage)


def test_a_decoded_picture_is_kept_by_nobody_else(gallery: Path, pool: DecoderPool):
    pixels = weakref.ref(pool.decode((gallery / "1.png").read_bytes(), "1.png").image)
    time.sleep(0.3)  # until the pool's threads wait again
    gc.collect()
    assert pixels() is None


def test_closing_the_pool_ends_the_wait_for_a_picture(slow: Path):
    with ThreadPoolExecutor() as threads, DecoderPool(1) as pool:
        waiting = [threads.submit(pool.decode_file, slow, 128) for _ in range(2)]
        time.sleep(0.3)
        pool.close()
        for decoding in waiting:
            with pytest.raises(Busy):
                decoding.result(30)


def test_r16_a_decoder_that_hangs_costs_one_picture(slow_gallery: Path, tmp_path: Path):
    with DecoderPool(1, seconds=0.7) as pool:
        pool.decode_file(slow_gallery / "1.png", 128)  # start the worker
        built = build(slow_gallery, tmp_path / "index", ThreadExecutor(TINY_EMBEDDER, pool), lambda *_: None)
    (skipped,) = read_skipped(built)
    assert (skipped.file, skipped.reason) == ("slow.png", "decoder_hang") and "too long" in skipped.sentence
    assert len(open_gallery(built).tables.ids) == 8


def test_r16_a_picture_that_takes_too_much_memory_costs_only_itself(slow: Path, gallery: Path):
    with DecoderPool(1, memory=200 * 1024**2) as pool:
        assert isinstance(pool.decode_file(gallery / "1.png", 128), DecodedImage)
        with pytest.raises(UnreadableImage) as caught:
            pool.decode_file(slow, 128)
        assert caught.value.reason in ("too_large", "decoder_crash")
        assert isinstance(pool.decode_file(gallery / "2.png", 128), DecodedImage)


def test_r20_a_file_that_grows_while_it_is_read(gallery: Path, pool: DecoderPool, monkeypatch):
    read = tasks.read_file

    def growing(path: Path) -> bytes:
        data = read(path)
        path.write_bytes(data + b"more")
        return data

    monkeypatch.setattr(tasks, "read_file", growing)
    with pytest.raises(UnreadableImage, match="still being written") as caught:
        tasks.decode_file(gallery / "1.png", 128, frozenset(), 0)
    assert caught.value.reason == "changed"


def test_workers_end_with_their_process(tmp_path: Path):
    """A build killed with SIGKILL leaves no process behind."""
    code = (
        "import sys, time, multiprocessing\n"
        "from pathlib import Path\n"
        "from index.building.decoder_pool import DecoderPool\n"
        "if __name__ == '__main__':\n"
        "    pool = DecoderPool(2)\n"
        "    try: pool.decode_file(Path('nothing'), 64)\n"
        "    except Exception: pass\n"
        "    print(*[c.pid for c in multiprocessing.active_children()], flush=True)\n"
        "    time.sleep(60)\n"
    )
    (tmp_path / "parent.py").write_text(code)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert parent.stdout
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert pids and all(Path(f"/proc/{pid}").exists() for pid in pids)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while any(running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(running(pid) for pid in pids)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("error", [TypeError, OSError, AttributeError])
def test_without_glibc_memory_settings_are_skipped(monkeypatch, error):
    def no_library(name: object) -> None:
        raise error  # on Windows a TypeError, since the program itself has no name

    monkeypatch.setattr(worker_process.ctypes, "CDLL", no_library)
    worker_process.keep_freed_memory()
