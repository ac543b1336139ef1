"""Thousands of damaged pictures and documents, and the largest legal ones, through the workers that a build uses."""

import io
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from index.building.decode_tasks import BadPlace, DecodedImage, Wanted
from index.building.decoder_pool import DecoderPool
from retrieval.errors import UnreadableImage
from retrieval.images.heif import prepare_heif
from retrieval.images.jpeg_xl import prepare_jpeg_xl
from retrieval.images.limits import FORMATS
from tests.dng import dng
from tests.documents import archive, paged, text_pdf
from tests.films import film

MUTANTS, FILES = 2000, 800
WORKERS = 2
EXIF = Pillow.Exif()
EXIF[0x0112], EXIF[0x010F], EXIF[0x927C] = 6, "maker", bytes(range(200))
PROFILE = (
    ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace("sRGB".encode("utf-16-be"), bytes(8))
)
USUAL = {"exif": EXIF, "icc_profile": PROFILE}
VARIANTS = {  # mode and options of every picture that mutants are made of
    "JPEG": [("RGB", USUAL), ("RGB", {"progressive": True}), ("CMYK", {}), ("L", {})],
    "PNG": [("RGB", USUAL), ("RGBA", {}), ("P", {"transparency": 3}), ("I;16", {}), ("RGB", {"save_all": True})],
    "WEBP": [("RGB", USUAL), ("RGBA", {"lossless": True}), ("RGB", {"save_all": True})],
    "GIF": [("P", {}), ("P", {"save_all": True}), ("P", {"transparency": 3, "interlace": True})],
    "BMP": [("RGB", {}), ("P", {}), ("1", {})],
    "TIFF": [
        ("RGB", USUAL),
        ("F", {"compression": "tiff_deflate"}),
        ("1", {"compression": "group4"}),
        ("RGB", {"compression": "jpeg"}),
        ("RGBA", {"compression": "tiff_lzw", "save_all": True}),
        ("LAB", {}),
    ],
    "AVIF": [("RGB", USUAL), ("RGBA", {}), ("RGB", {"save_all": True})],
}


def encoded(image: np.ndarray, kind: str, mode: str, options: dict[str, object]) -> bytes:
    picture = Pillow.fromarray(image)
    if mode == "I;16":
        picture = Pillow.fromarray(image[:, :, 0].astype(np.uint16) * 257)
    elif mode == "LAB":
        picture = Pillow.frombytes("LAB", picture.size, picture.tobytes())
    else:
        picture = picture.convert(mode)
    if "save_all" in options:
        options = {**options, "append_images": [picture.transpose(Pillow.Transpose.ROTATE_180)]}
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def flipped(good: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    mutant = good.copy()
    reach = len(mutant) if rng.random() < 0.5 else min(300, len(mutant))  # headers are where decoders stumble
    places = rng.integers(0, reach, rng.integers(1, 16))
    mutant[places] = rng.integers(0, 256, len(places))
    return mutant


def cut(good: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return good[: rng.integers(1, len(good))]


def swapped(good: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    mutant, length = good.copy(), int(rng.integers(2, len(good) // 4))
    one, other = rng.integers(0, len(good) - length, 2)
    mutant[one : one + length], mutant[other : other + length] = (
        good[other : other + length],
        good[one : one + length],
    )
    return mutant


WAYS = [flipped, flipped, cut, swapped]


def mutants(image: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each: every format has its share of every variant and of every way to damage it."""
    rng = np.random.default_rng(4)
    good = {
        kind: [np.frombuffer(encoded(image, kind, *variant), np.uint8) for variant in VARIANTS[kind]]
        for kind in FORMATS
    }
    for number in range(MUTANTS):
        kind, turn = FORMATS[number % len(FORMATS)], number // len(FORMATS)
        way = WAYS[turn % len(WAYS)]
        variants = good[kind]
        mutant = way(variants[turn // len(WAYS) % len(variants)], rng)
        yield f"{kind} {way.__name__} {number}", mutant.tobytes()


def test_r15_two_thousand_mutants_neither_crash_nor_hang(draw, capsys):
    def fate(mutant: tuple[str, bytes]) -> tuple[str, str]:
        name, data = mutant
        try:
            image = pool.decode(data, name).image
        except UnreadableImage as error:
            assert str(error).endswith(".") and "\n" not in str(error)
            return name.split()[0], error.reason
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        return name.split()[0], "decoded"

    with DecoderPool(WORKERS) as pool, ThreadPoolExecutor(2 * WORKERS) as threads:
        fates = Counter(threads.map(fate, mutants(draw(3, 96, 72))))
    assert fates.total() == MUTANTS and {kind for kind, _ in fates} == set(FORMATS)
    reasons = Counter({reason: sum(n for (_, r), n in fates.items() if r == reason) for _, reason in fates})
    with capsys.disabled():
        print(f"\n{MUTANTS} mutants: " + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()))
    assert reasons["decoder_crash"] == reasons["decoder_hang"] == 0
    for kind in FORMATS:
        assert 0 < fates[kind, "decoded"] < sum(n for (k, _), n in fates.items() if k == kind), kind


def files(draw) -> dict[str, bytes]:
    """By name, good files of the other kinds: of packages, and with several pictures."""
    images = [draw(seed, 96, 72) for seed in range(3)]
    prepare_heif()
    prepare_jpeg_xl()
    kinds = {
        "a.heic": encoded(images[0], "HEIF", "RGB", USUAL),
        "b.heic": encoded(images[0], "HEIF", "RGBA", {}),
        "a.jxl": encoded(images[0], "JXL", "RGB", {"effort": 1}),
        "b.jxl": encoded(images[0], "JXL", "RGB", {"effort": 1, "lossless": True, "use_container": True}),
        "a.jp2": encoded(images[0], "JPEG2000", "RGB", {}),
        "b.jp2": encoded(images[0], "JPEG2000", "L", {"irreversible": True, "tile_size": (32, 32)}),
        "a.dng": dng(images[0]),
        "b.dng": dng(images[0], images[1]),
        "trip.mp4": film(images, 0.5),
        "trip.mkv": film(images, 0.5, "matroska", "mpeg4"),
        "text.pdf": text_pdf(["Blue kettle", "EUR 24.99"], pages=2),
        "book.cbz": archive({f"{number}.png": encoded(image, "PNG", "RGB", {}) for number, image in enumerate(images)}),
    }
    kinds |= {f"several.{kind.lower()}": paged(images, kind) for kind in ("PDF", "TIFF", "GIF", "WEBP", "PNG", "AVIF")}
    return kinds


def test_r78_r79_mutants_of_documents_and_of_formats_that_packages_read(draw, tmp_path: Path, capsys):
    rng, good = np.random.default_rng(5), {name: np.frombuffer(data, np.uint8) for name, data in files(draw).items()}
    mutants = []
    for number in range(FILES):
        name = list(good)[number % len(good)]
        way = WAYS[number // len(good) % len(WAYS)] if number >= len(good) else lambda data, _: data  # good ones first
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(way(good[name], rng).tobytes())
        mutants.append((name, path))

    def fate(mutant: tuple[str, Path]) -> list[tuple[str, str]]:
        name, path = mutant
        try:
            found = list(pool.decode_source(path, Wanted(64)))
        except UnreadableImage as error:
            assert str(error).endswith(".") and "\n" not in str(error)
            return [(name, error.reason)]
        reasons = [one.reason for one in found if isinstance(one, BadPlace)]
        reasons += ["decoded"] if any(isinstance(one, DecodedImage) for one in found) else []
        return [(name, reason) for reason in reasons]

    with DecoderPool(WORKERS) as pool, ThreadPoolExecutor(2 * WORKERS) as threads:
        fates = Counter(fate for of_file in threads.map(fate, mutants) for fate in of_file)
    reasons = Counter()
    for (_, reason), count in fates.items():
        reasons[reason] += count
    with capsys.disabled():
        print(f"\n{FILES} other mutants: " + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()))
    assert reasons["decoder_crash"] == reasons["decoder_hang"] == 0, [fate for fate in fates if "decoder" in fate[1]]
    assert all(fates[name, "decoded"] for name in good)


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {"progressive": True, "subsampling": 0}),
        ("PNG", "RGBA", {"compress_level": 1}),
        ("TIFF", "F", {"compression": "tiff_deflate"}),
        ("GIF", "P", {}),
        ("WEBP", "RGB", {"method": 0}),
        ("AVIF", "RGB", {"speed": 10}),
    ],
    ids=["progressive-jpeg", "transparent-png", "float-tiff", "gif", "webp", "avif"],
)
def test_r14_a_worker_can_take_the_largest_legal_picture_of_every_format(tmp_path: Path, kind, mode, options):
    path = tmp_path / "large"
    Pillow.new(mode, (11_500, 8690)).save(path, kind, **options)
    with DecoderPool() as pool:
        decoded = pool.decode_file(path, 640)
    assert isinstance(decoded, DecodedImage) and (decoded.width, decoded.height) == (11_500, 8690)
    assert max(decoded.pixels.shape) <= 640
