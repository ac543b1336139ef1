"""The SVG renderer draws shapes, dots, groups, masks and text where the drawing says."""

from pathlib import Path

import numpy as np
import pytest

from boxfind.samples import svg
from boxfind.samples.svg import render

RED, CLEAR = (255, 0, 0, 255), (0, 0, 0, 0)


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Render SVG elements on a sheet of 40 x 20 pixels."""
    monkeypatch.setattr(svg, "DRAWINGS", tmp_path)

    def draw(elements: str) -> np.ndarray:
        (tmp_path / "one.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20">{elements}</svg>', encoding="utf-8"
        )
        render.cache_clear()
        return np.asarray(render("one"))

    return draw


def covered(sheet: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(sheet[..., 3] > 128)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.mark.parametrize(
    ("element", "box"),
    [
        ('<rect x="4" y="6" width="20" height="10" fill="red"/>', (4, 6, 24, 16)),
        ('<rect x="4" y="6" width="20" height="10" rx="4" fill="red"/>', (4, 6, 24, 16)),
        ('<circle cx="20" cy="10" r="8" fill="red"/>', (12, 2, 28, 18)),
        ('<ellipse cx="20" cy="10" rx="12" ry="5" fill="red"/>', (8, 5, 32, 15)),
        ('<polygon points="5,3 30,3 30,17" fill="red"/>', (5, 3, 30, 17)),
        ('<polyline points="5,10 30,10" fill="none" stroke="red" stroke-width="4"/>', (5, 8, 30, 12)),
    ],
)
def test_a_shape_fills_its_box(drawn, element, box):
    sheet = drawn(element)
    assert np.abs(np.subtract(covered(sheet), box)).max() <= 1
    assert tuple(sheet[10, 20]) == RED and tuple(sheet[0, 0]) == CLEAR


def test_a_rounded_rectangle_has_no_corners(drawn):
    sheet = drawn('<rect width="40" height="20" rx="8" fill="red"/>')
    assert tuple(sheet[0, 0]) == CLEAR and tuple(sheet[0, 20]) == RED == tuple(sheet[10, 0])


def test_dots_are_spaced_evenly(drawn):
    sheet = drawn(
        '<polyline points="5,10 35,10" fill="none" stroke="red" stroke-width="4" stroke-linecap="round" '
        'stroke-dasharray="0 10"/>'
    )
    assert [bool(sheet[10, x, 3]) for x in (5, 10, 15, 20, 25, 30)] == [True, False, True, False, True, False]


def test_a_mask_keeps_what_it_covers_in_white(drawn):
    mask = '<mask id="m"><rect width="20" height="20" fill="white"/></mask>'
    sheet = drawn(f'<g mask="url(#m)">{mask}<rect width="40" height="20" fill="red"/></g>')
    assert covered(sheet) == (0, 0, 20, 20) and tuple(sheet[10, 10]) == RED


def test_a_group_is_rotated_about_a_point(drawn):
    sheet = drawn('<g transform="rotate(180 20 10)"><rect width="10" height="5" fill="red"/></g>')
    assert np.abs(np.subtract(covered(sheet), (30, 15, 40, 20))).max() <= 1


def test_text_is_anchored_at_its_start_middle_or_end(drawn):
    boxes = {
        anchor: covered(drawn(f'<text x="20" y="10" font-size="9" text-anchor="{anchor}" fill="red">iii</text>'))
        for anchor in ("start", "middle", "end")
    }
    assert boxes["start"][0] >= 20 > boxes["middle"][0] > boxes["end"][0] and boxes["end"][2] <= 20
