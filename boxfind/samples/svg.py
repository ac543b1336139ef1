"""Render the SVG drawings of the sample gallery: the part of SVG that they use.

Photographs (`<image href="coffee.png">`) come from the scikit-image package. An image of another drawing with
`data-bend` is wrapped around an upright cylinder. A zero-length dash with round caps draws a row of dots.
"""

from functools import cache
from pathlib import Path
from xml.etree.ElementTree import Element, parse

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageChops, ImageDraw, ImageFont, ImageOps

DRAWINGS = Path(__file__).with_name("drawings")
PHOTOGRAPHS = Path(skimage.__file__).parent / "data"
NAMESPACE = "{http://www.w3.org/2000/svg}"
FINER = 3
"""Supersampling factor for antialiasing."""

Points = NDArray[np.float64]
"""(N, 2) x, y."""

ANGLES = 2 * np.pi * (np.arange(96) + 0.5) / 96
CIRCLE: Points = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
"""Points of the unit circle; none of them on an axis."""


def drawing_names(folder: str) -> tuple[str, ...]:
    """Return the names of the drawings in a folder of `drawings`, sorted."""
    return tuple(sorted(path.stem for path in (DRAWINGS / folder).glob("*.svg")))


@cache
def render(name: str) -> Pillow.Image:
    """Render a drawing, such as "objects/badge". -> RGBA, alpha 0 where nothing is drawn; read-only."""
    return _enlarged(DRAWINGS / f"{name}.svg").reduce(FINER)


def _enlarged(file: Path) -> Pillow.Image:
    root = parse(file).getroot()
    width, height = _lengths(root, "width", "height")
    sheet = Pillow.new("RGBA", (round(width), round(height)))
    _draw_children(root, sheet)
    return sheet


def _draw_children(parent: Element, sheet: Pillow.Image) -> None:
    for element in parent:
        tag = element.tag.removeprefix(NAMESPACE)
        if tag == "g":
            _draw_group(element, sheet)
        elif tag == "image":
            _draw_image(element, sheet)
        elif tag == "text":
            _draw_text(element, sheet)
        elif tag != "mask":
            _draw_shape(element, sheet)


def _draw_group(element: Element, sheet: Pillow.Image) -> None:
    """Draw a group that is rotated about a point, or masked by the brightness of its child `mask`."""
    layer = Pillow.new("RGBA", sheet.size)
    _draw_children(element, layer)
    if transform := element.get("transform"):
        degrees, x, y = (float(part) for part in transform.removeprefix("rotate(").removesuffix(")").split())
        layer = layer.rotate(-degrees, Pillow.Resampling.BICUBIC, center=(x * FINER, y * FINER))
    if (mask := element.find(f"{NAMESPACE}mask")) is not None:
        shape = Pillow.new("RGBA", sheet.size)
        _draw_children(mask, shape)
        layer.putalpha(ImageChops.darker(layer.getchannel("A"), shape.convert("L")))
    sheet.alpha_composite(layer)


def _draw_image(element: Element, sheet: Pillow.Image) -> None:
    """Draw a photograph or another drawing, cropped at the centre to the shape of its frame."""
    file = element.attrib["href"]
    if file.endswith(".svg"):
        picture = _enlarged(DRAWINGS / "parts" / file)
    else:
        picture = Pillow.open(PHOTOGRAPHS / file).convert("RGB")
    if element.get("filter") == "invert(1)":
        picture = ImageOps.invert(picture)
    if "data-bend" in element.attrib:
        picture = around_cylinder(picture, *_lengths(element, "data-bend"))
    x, y, width, height = (round(length) for length in _lengths(element, "x", "y", "width", "height"))
    fitted = ImageOps.fit(picture, (width, height), Pillow.Resampling.BICUBIC)
    sheet.paste(fitted, (x, y), fitted if fitted.mode == "RGBA" else None)


def _draw_text(element: Element, sheet: Pillow.Image) -> None:
    """Draw a line of text, vertically centred at y."""
    x, y, size = _lengths(element, "x", "y", "font-size")
    anchor = {"start": "lm", "end": "rm"}.get(element.get("text-anchor", ""), "mm")
    stroke = 0.03 * size if element.get("font-weight") == "bold" else 0
    pen = ImageDraw.Draw(sheet)
    pen.text((x, y), element.text or "", element.get("fill"), ImageFont.load_default(size), anchor, stroke_width=stroke)


def _draw_shape(element: Element, sheet: Pillow.Image) -> None:
    pen, points = ImageDraw.Draw(sheet), _outline(element)
    if element.get("fill") != "none":
        pen.polygon(points.ravel().tolist(), element.get("fill"))
    if "stroke" not in element.attrib:
        return
    stroke, (width,) = element.get("stroke"), _lengths(element, "stroke-width")
    if element.tag != f"{NAMESPACE}polyline":
        points = np.concatenate([points, points[:2]])  # the second point closes the joint
    if "stroke-dasharray" in element.attrib:
        spacing = float(element.attrib["stroke-dasharray"].split()[1]) * FINER
        for dot in _spaced(points, spacing):
            pen.polygon((dot + width / 2 * CIRCLE).ravel().tolist(), stroke)
    else:
        pen.line(points.ravel().tolist(), stroke, round(width), joint="curve")


def _outline(element: Element) -> Points:
    """Return points on the outline of a polygon, a circle, an ellipse or a rounded rectangle."""
    if "points" in element.attrib:
        return FINER * np.array([pair.split(",") for pair in element.attrib["points"].split()], float)
    if "cx" in element.attrib:
        radii = _lengths(element, "rx", "ry") + _lengths(element, "r")
        return _lengths(element, "cx", "cy") + radii * CIRCLE
    half, radius = _lengths(element, "width", "height") / 2, FINER * float(element.get("rx", 0))
    corners: Points = np.sign(CIRCLE) * (half - radius)
    return _lengths(element, "x", "y") + half + corners + radius * CIRCLE


def _spaced(points: Points, spacing: float) -> Points:
    """Return points at equal distances along a line, from its start."""
    along = np.concatenate([[0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
    at = np.arange(0, along[-1], spacing)
    return np.stack([np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])], axis=1)


def _lengths(element: Element, *names: str) -> NDArray[np.float64]:
    """Return attributes in pixels of the enlarged sheet; 0 where one is missing."""
    return FINER * np.array([element.get(name, 0) for name in names], float)


def around_cylinder(label: Pillow.Image, bend: float) -> Pillow.Image:
    """Wrap a flat label around an upright cylinder, seen slightly from above, and shade it.

    (W, H) RGBA -> (2 W / 3, H + bend); the middle sinks by `bend` pixels.
    """
    flat = np.asarray(label)
    x = np.linspace(-1, 1, 2 * label.width // 3)
    columns = ((np.arcsin(x) / np.pi * 0.94 + 0.5) * (label.width - 1)).astype(int)
    rows = np.arange(label.height + round(bend))[:, None] - np.round(bend * np.sqrt(1 - x**2)).astype(int)
    out = flat[rows.clip(0, label.height - 1), columns].astype(np.float32)
    out[(rows < 0) | (rows >= label.height)] = 0
    out[..., :3] *= (
        0.52 + 0.56 * np.clip(np.cos(np.arcsin(x) + 0.55), 0, 1) + 0.28 * np.exp(-(((x + 0.5) / 0.1) ** 2))
    )[:, None]
    return Pillow.fromarray(out.clip(0, 255).astype(np.uint8))
