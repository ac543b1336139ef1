"""Whatever is in a file, the answer is a picture or one sentence with a reason."""

import io
import os
import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageFile

from retrieval import images
from retrieval.errors import UnreadableImage
from retrieval.images import FORMATS, Limits, decode_image, load_image

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="64" height="64"/></svg>'


def encoded(picture: Pillow.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def refusal(path: Path) -> UnreadableImage:
    """The error of a file, which must be one full sentence that names it."""
    with pytest.raises(UnreadableImage) as caught:
        load_image(path)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".") and not sentence.endswith("..") and len(sentence) < 300
    return caught.value


def black_png(width: int, height: int) -> bytes:
    """A PNG of any size in a few bytes, made without Pillow."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_an_empty_file(tmp_path: Path):
    (tmp_path / "a.jpg").touch()
    error = refusal(tmp_path / "a.jpg")
    assert error.reason == "empty" and "a.jpg" in str(error)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "AVIF", "GIF"])
def test_a_file_cut_off_is_refused_and_never_half_grey(draw, tmp_path: Path, kind, share):
    data = encoded(Pillow.fromarray(draw(1, 256, 192)), kind)
    (tmp_path / "cut").write_bytes(data[: int(len(data) * share)])
    assert refusal(tmp_path / "cut").reason in ("truncated", "damaged", "not_an_image")
    if kind == "JPEG" and share >= 0.5:
        assert refusal(tmp_path / "cut").reason == "truncated"


@pytest.mark.parametrize(
    "content",
    [
        np.random.default_rng(0).bytes(5000),
        b"just some text\n" * 50,
        b"<!doctype html><html><body>not here</body></html>",
        SVG,
        b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
        b"8BPS\x00\x01" + bytes(100),
        b"SIMPLE  =                    T" + b" " * 5000,
        b"\x80\x04\x95pickle",
    ],
    ids=["random", "text", "html", "svg", "pdf", "eps", "psd", "fits", "pickle"],
)
def test_what_is_not_a_picture(tmp_path: Path, content):
    (tmp_path / "renamed.jpg").write_bytes(content)
    assert refusal(tmp_path / "renamed.jpg").reason == "not_an_image"


def test_formats_that_pillow_reads_but_nobody_asked_for(draw, tmp_path: Path):
    for kind in ("PPM", "TGA", "ICO", "PCX", "EPS", "PDF"):
        (tmp_path / "renamed.png").write_bytes(encoded(Pillow.fromarray(draw(1)), kind))
        assert refusal(tmp_path / "renamed.png").reason == "not_an_image", kind


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [(20_000, 20_000, "too_large"), (12_000, 9_000, "too_large"), (30_000, 700, "too_large")],
)
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch, width, height, reason):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was decoded"))
    path = tmp_path / "bomb.png"
    path.write_bytes(black_png(width, height))
    assert path.stat().st_size < 100_000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # outside tests a warning is no error, and the limit must hold all the same
        tracemalloc.start()
        try:
            error = refusal(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert error.reason == reason
    assert peak < 2_000_000
    assert refusal(path).reason == reason  # with warnings as errors


def test_too_small_and_too_thin(tmp_path: Path):
    for size, reason in {
        (1, 1): "too_small",
        (3, 4000): "too_small",
        (7, 100): "too_small",
        (8, 401): "bad_aspect",
    }.items():
        Pillow.new("RGB", size).save(tmp_path / "a.png")
        assert refusal(tmp_path / "a.png").reason == reason, size


def test_a_file_too_large_is_not_even_read(draw, tmp_path: Path, monkeypatch):
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


def test_what_is_not_a_file(tmp_path: Path):
    assert refusal(tmp_path / "gone.jpg").reason == "missing"
    (tmp_path / "folder.jpg").mkdir()
    assert refusal(tmp_path / "folder.jpg").reason == "special"
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "pipe.jpg").reason == "special"  # and does not wait for a writer
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    assert refusal(tmp_path / "loop.jpg").reason == "unreadable"
    assert refusal(tmp_path / ("x" * 5000)).reason == "unreadable"
    assert refusal(tmp_path / "nul\0.jpg").reason == "unreadable"


def test_a_file_that_may_not_be_read(draw, tmp_path: Path):
    path = tmp_path / "secret.png"
    Pillow.fromarray(draw(2)).save(path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert refusal(path).reason == "permission"


def test_names_cannot_break_the_sentence(tmp_path: Path):
    for name in (b"line\nbreak.jpg", b"\xff\xfe.jpg", "😀.jpg".encode(), b"-rf.jpg"):
        path = tmp_path / os.fsdecode(name)
        path.touch()
        str(refusal(path)).encode()  # printable everywhere: no lone surrogates


@pytest.mark.parametrize(
    "error",
    [
        OSError,
        SyntaxError,
        ValueError,
        RuntimeError,
        TypeError,
        OverflowError,
        MemoryError,
        IndexError,
        KeyError,
        struct.error,
        ZeroDivisionError,
    ],
)
def test_whatever_a_decoder_raises_becomes_a_sentence(draw, monkeypatch, error):
    data = encoded(Pillow.fromarray(draw(1)), "PNG")

    def stumble(*_: object) -> None:
        raise error("stumbled")

    monkeypatch.setattr(ImageFile.ImageFile, "load", stumble)
    with pytest.raises(UnreadableImage, match=r"^a\.png is damaged .*\.$"):
        decode_image(data, "a.png")


@pytest.mark.parametrize("kind", FORMATS)
def test_flipped_bytes_give_a_picture_or_a_sentence(draw, kind):
    rng = np.random.default_rng(FORMATS.index(kind))
    exif = Pillow.Exif()
    exif[0x0112] = 6
    options = {} if kind in ("GIF", "BMP") else {"exif": exif}
    good = np.frombuffer(encoded(Pillow.fromarray(draw(3, 64, 48)), kind, **options), np.uint8)
    refused = 0
    for _ in range(45):
        mutant = good.copy()
        reach = len(mutant) if rng.random() < 0.5 else min(200, len(mutant))  # headers are where decoders stumble
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
