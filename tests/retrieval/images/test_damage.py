"""Any file gives either an image or UnreadableImage with a reason."""

import io
import os
import struct
import subprocess
import sys
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageFile

from retrieval.errors import UnreadableImage
from retrieval.images import decode as images
from retrieval.images.decode import decode_image, decode_picture, load_image
from retrieval.images.limits import FORMATS, Limits

ROOT = Path(__file__).parents[3]

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64"/></svg>'


def encoded(picture: Pillow.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def refusal(path: Path) -> UnreadableImage:
    """The error for a file; its message must be one full sentence that names the file."""
    with pytest.raises(UnreadableImage) as caught:
        load_image(path)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".") and not sentence.endswith("..") and len(sentence) < 300
    return caught.value


def test_r01_an_empty_file(tmp_path: Path):
    (tmp_path / "a.jpg").touch()
    error = refusal(tmp_path / "a.jpg")
    assert error.reason == "empty" and str(error) == "a.jpg is empty (0 bytes)."
    with pytest.raises(UnreadableImage, match="The picture is empty"):
        decode_image(b"")


@pytest.mark.parametrize("enough", [None, 20], ids=["full", "reduced"])
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_r02_a_cut_jpeg_is_refused_at_every_length(draw, progressive, enough):
    data = encoded(Pillow.fromarray(draw(1, 96, 64)), "JPEG", progressive=progressive)
    headers = data.index(b"\xff\xda")  # start of the pixel data
    for length in range(1, len(data) - 2):  # the last two bytes are the end marker
        with pytest.raises(UnreadableImage) as caught:
            decode_picture(data[:length], enough=enough)
        assert caught.value.reason in ("truncated",) if length > headers + 14 else ("truncated", "not_an_image")


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "AVIF", "GIF", "TIFF"])
def test_r02_a_cut_file_is_refused_or_gives_all_of_its_picture(draw, kind):
    data = encoded(Pillow.fromarray(draw(1, 96, 64)), kind)
    whole, refused = decode_image(data), 0
    for length in np.linspace(1, len(data) - 1, 200).astype(int):
        try:
            assert np.array_equal(decode_image(data[:length]), whole)
        except UnreadableImage as error:
            refused += 1
            assert error.reason in ("truncated", "damaged", "not_an_image", "unknown_tiff")
    assert refused > 190


def test_r02_a_cut_jpeg_is_refused_as_such(draw, tmp_path: Path):
    data = encoded(Pillow.fromarray(draw(1, 256, 192)), "JPEG")
    for missing in (0.1, 0.5, 0.9):
        (tmp_path / "cut.jpg").write_bytes(data[: round(len(data) * (1 - missing))])
        error = refusal(tmp_path / "cut.jpg")
        assert error.reason == "truncated" and str(error) == "cut.jpg is cut off; get the complete file."


def test_r03_random_bytes(tmp_path: Path):
    (tmp_path / "noise.jpg").write_bytes(np.random.default_rng(0).bytes(5000))
    assert refusal(tmp_path / "noise.jpg").reason == "not_an_image"


@pytest.mark.parametrize(
    "content",
    [
        b"just some text\n" * 50,
        b"<!doctype html><html><body>not here</body></html>",
        SVG,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
        b"SIMPLE  =                    T" + b" " * 5000,
        b"\x80\x04\x95pickle",
    ],
    ids=["text", "html", "svg", "eps", "fits", "pickle"],
)
def test_r05_what_is_not_a_picture(tmp_path: Path, content):
    (tmp_path / "renamed.jpg").write_bytes(content)
    assert refusal(tmp_path / "renamed.jpg").reason == "not_an_image"


def test_r05_a_picture_in_a_format_that_is_not_read(tmp_path: Path):
    (tmp_path / "renamed.jpg").write_bytes(b"8BPS\x00\x01" + bytes(100))
    found = refusal(tmp_path / "renamed.jpg")
    assert found.reason == "format" and "Photoshop" in str(found)


def test_r05_formats_that_pillow_reads_but_nobody_asked_for(draw, tmp_path: Path):
    for kind in ("PPM", "TGA", "ICO", "PCX", "EPS"):
        (tmp_path / "renamed.png").write_bytes(encoded(Pillow.fromarray(draw(1)), kind))
        assert refusal(tmp_path / "renamed.png").reason == "not_an_image", kind


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (12_000, 9_000), (30_000, 700)])
def test_r12_a_bomb_is_refused_before_it_is_decoded(png, tmp_path: Path, monkeypatch, width, height):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was decoded"))
    path = tmp_path / "bomb.png"
    path.write_bytes(png(width, height, 1, 0, (bytes(1 + (width + 7) // 8) for _ in range(height))))
    assert path.stat().st_size < 100_000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # outside tests warnings are not errors, and the limit must hold too
        began = time.monotonic()
        tracemalloc.start()
        try:
            error = refusal(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert error.reason == "too_large"
    assert peak < 2_000_000 and time.monotonic() - began < 1
    assert refusal(path).reason == "too_large"  # with warnings as errors


def test_r12_every_format_is_measured_before_it_is_decoded(draw, monkeypatch):
    data = {kind: encoded(Pillow.fromarray(draw(1)), kind) for kind in FORMATS}
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was decoded"))
    monkeypatch.setattr(images, "LIMITS", Limits(pixels=128 * 96 - 1))
    for kind in FORMATS:
        with pytest.raises(UnreadableImage, match=r"128 x 96 pixels, which is above|has more than") as caught:
            decode_picture(data[kind], enough=16)
        assert caught.value.reason == "too_large"


def test_r13_too_small_and_too_thin(tmp_path: Path):
    for size, reason in {
        (1, 1): "too_small",
        (3, 4000): "too_small",
        (7, 100): "too_small",
        (8, 401): "bad_aspect",
        (40_000, 10): "too_large",
        (10_000, 10): "bad_aspect",
    }.items():
        Pillow.new("RGB", size).save(tmp_path / "a.png")
        assert refusal(tmp_path / "a.png").reason == reason, size


def test_too_large_file_is_not_read(draw, tmp_path: Path, monkeypatch):
    path = tmp_path / "a.bmp"
    Pillow.fromarray(draw(2)).save(path)
    size = path.stat().st_size
    monkeypatch.setattr(images, "LIMITS", Limits(file_bytes=size))
    assert load_image(path).shape == (96, 128, 3)
    monkeypatch.setattr(images, "LIMITS", Limits(file_bytes=size - 1))
    assert refusal(path).reason == "file_too_large"
    with pytest.raises(UnreadableImage) as caught:
        decode_image(path.read_bytes())
    assert caught.value.reason == "file_too_large"
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("it was read"))
    refusal(path)


def test_r19_what_is_not_a_file(tmp_path: Path):
    assert refusal(tmp_path / "gone.jpg").reason == "missing"
    (tmp_path / "folder.jpg").mkdir()
    assert refusal(tmp_path / "folder.jpg").reason == "special"
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "pipe.jpg").reason == "special"  # and does not block on the pipe
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    assert refusal(tmp_path / "loop.jpg").reason == "unreadable"
    assert refusal(tmp_path / ("x" * 5000)).reason == "unreadable"
    assert refusal(tmp_path / "nul\0.jpg").reason == "unreadable"


def test_r17_names_cannot_break_the_sentence(tmp_path: Path):
    for name in (b"line\nbreak.jpg", b"\xff\xfe.jpg", "😀.jpg".encode(), b"-rf.jpg"):
        path = tmp_path / os.fsdecode(name)
        path.touch()
        sentence = str(refusal(path))
        assert sentence.isprintable() and sentence.encode()  # no line break and no lone surrogate


def test_unsupported_tiff_has_its_own_message(draw, tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", draw(1).astype(np.float32), photometric="rgb")
    assert refusal(tmp_path / "a.tif").reason == "unknown_tiff"


@pytest.mark.parametrize("error", [MemoryError(), OSError("out of memory error when reading image file")])
def test_r14_too_little_memory_is_said_as_such(draw, monkeypatch, error):
    def stumble(*_: object) -> None:
        raise error

    monkeypatch.setattr(ImageFile.ImageFile, "load", stumble)
    with pytest.raises(UnreadableImage, match="needs more memory to decode than is available; make it") as caught:
        decode_image(encoded(Pillow.fromarray(draw(1)), "PNG"))
    assert caught.value.reason == "too_large"


LEGAL = """
import resource, sys
from pathlib import Path
from retrieval.images.decode import decode_picture
memory, enough = int(sys.argv[1]), int(sys.argv[2])
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + memory
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
decoded = decode_picture(sys.stdin.buffer.read(), enough=enough)
print(decoded.image.shape, decoded.width, decoded.height, int(decoded.image.max()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited in a way that only Linux has")
@pytest.mark.parametrize(
    ("kind", "mode", "enough", "megabytes", "shape"),
    [
        ("JPEG", "RGB", 0, 1200, (8690, 11500, 3)),
        ("JPEG", "RGB", 2560, 150, (2173, 2875, 3)),
        ("PNG", "I;16", 2560, 1200, (8690, 11500, 3)),
    ],
    ids=["jpeg", "reduced-jpeg", "16-bit-png"],
)
def test_r14_the_largest_legal_pictures_need_little_memory(kind, mode, enough, megabytes, shape):
    data = encoded(Pillow.new(mode, (11_500, 8690)), kind, **{"compress_level": 1} if kind == "PNG" else {})
    run = subprocess.run(
        [sys.executable, "-c", LEGAL, str(megabytes * 10**6), str(enough)], input=data, capture_output=True, cwd=ROOT
    )
    assert run.stdout.decode().startswith(f"{shape} 11500 8690 "), run.stderr.decode()


@pytest.mark.parametrize(
    "error",
    [
        OSError,
        SyntaxError,
        ValueError,
        RuntimeError,
        TypeError,
        OverflowError,
        IndexError,
        KeyError,
        struct.error,
        ZeroDivisionError,
    ],
)
def test_every_decoder_error_becomes_unreadable_image(draw, monkeypatch, error):
    data = encoded(Pillow.fromarray(draw(1)), "PNG")

    def stumble(*_: object) -> None:
        raise error("stumbled")

    monkeypatch.setattr(ImageFile.ImageFile, "load", stumble)
    with pytest.raises(UnreadableImage, match=r"^a\.png is damaged .*\.$"):
        decode_image(data, "a.png")


@pytest.mark.parametrize("kind", FORMATS)
def test_r15_flipped_bytes_give_a_picture_or_a_sentence(draw, kind):
    rng = np.random.default_rng(FORMATS.index(kind))
    exif = Pillow.Exif()
    exif[0x0112] = 6
    options = {} if kind in ("GIF", "BMP") else {"exif": exif}
    good = np.frombuffer(encoded(Pillow.fromarray(draw(3, 64, 48)), kind, **options), np.uint8)
    refused = 0
    for _ in range(45):
        mutant = good.copy()
        reach = len(mutant) if rng.random() < 0.5 else min(200, len(mutant))  # headers are the most fragile part
        places = rng.integers(0, reach, rng.integers(1, 12))
        mutant[places] = rng.integers(0, 256, len(places))
        try:
            image = decode_image(mutant.tobytes(), "mutant")
        except UnreadableImage as error:
            refused += 1
            assert error.reason and str(error).endswith(".") and "\n" not in str(error)
        else:
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert refused > 0
