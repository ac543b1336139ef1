"""Two thousand damaged pictures of seven formats, and the largest legal ones, through the workers that a build uses."""

import io
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from index.building.decoder_pool import DecodedImage, DecoderPool
from retrieval.errors import UnreadableImage
from retrieval.images.limits import FORMATS

MUTANTS = 2000
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
