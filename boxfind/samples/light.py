"""Simulate lighting and camera effects in the sample gallery."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageFilter

from retrieval.types import Image


@dataclass(frozen=True, slots=True)
class Light:
    """Light and camera parameters; neutral values are 1 for brightness and contrast, 0 for all others."""

    brightness: float = 1.0
    contrast: float = 1.0
    warmth: float = 0.0
    slope: tuple[float, float] = (0.0, 0.0)
    """Relative gain in brightness from the centre to the right and lower edges."""
    vignette: float = 0.0
    blur: float = 0.0
    """Radius in pixels."""
    noise: float = 0.0
    """Standard deviation, of 255."""


def some_light(rng: np.random.Generator) -> Light:
    blurred, noisy = rng.random(2) < 0.35
    return Light(
        brightness=float(rng.uniform(0.88, 1.14)),
        contrast=float(rng.uniform(0.84, 1.12)),
        warmth=float(rng.uniform(-0.1, 0.12)),
        slope=(float(rng.uniform(-0.14, 0.14)), float(rng.uniform(-0.14, 0.14))),
        vignette=float(rng.uniform(0.05, 0.22)),
        blur=float(rng.uniform(0.4, 1.0)) if blurred else 0.0,
        noise=float(rng.uniform(3, 9)) if noisy else 1.5,
    )


def lit(image: Image, light: Light, seed: int) -> Image:
    """Apply the light to an image; `seed` determines the noise."""
    height, width = image.shape[:2]
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    gain = 1 + light.slope[0] * x + light.slope[1] * y - light.vignette * (x**2 + y**2) / 2
    tint = np.array([1 + light.warmth, 1, 1 - light.warmth], np.float32)
    values = (image * np.float32(light.contrast) + np.float32(128 * (1 - light.contrast))) * tint
    values *= (gain * light.brightness)[..., None]
    if light.blur:
        sharp = Pillow.fromarray(_bytes(values))
        values = np.asarray(sharp.filter(ImageFilter.GaussianBlur(light.blur))).astype(np.float32)
    grain = np.random.default_rng(seed).standard_normal((height, width, 3), dtype=np.float32)
    return _bytes(values + np.float32(light.noise) * grain)


def _bytes(values: NDArray[np.float32]) -> Image:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
