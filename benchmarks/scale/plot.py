"""Plot search time against the number of vectors, as a small SVG file."""

from collections.abc import Mapping, Sequence
from html import escape
from math import log10
from pathlib import Path

Points = Sequence[tuple[float, float]]
"""(vectors, milliseconds), sorted by vectors."""

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 130, 50, 60
LINE = 14
COLOURS = ("#1f5fa8", "#c05a00", "#2b7a3f", "#7a3f8f")


def draw(path: Path, title: str, measured: Mapping[str, Points], projected: Mapping[str, Points]) -> None:
    """Write a log-log plot. A dashed line continues from the last measured point to `projected`."""
    every = [point for points in (*measured.values(), *projected.values()) for point in points]
    plane = _Plane([x for x, _ in every], [y for _, y in every])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="24" font-size="15">{escape(title)}</text>',
        *plane.grid(),
    ]
    named = list[float]()  # heights of the labels so far
    for colour, (name, points) in zip(COLOURS, measured.items(), strict=False):
        further = [points[-1], *projected.get(name, ())]
        parts += [plane.line(points, colour), plane.line(further, colour, ' stroke-dasharray="5 5"')]
        parts += [plane.dot(point, colour) for point in points]
        x, y = plane.at(*further[-1])
        while any(abs(y - other) < LINE for other in named):
            y += 1
        named.append(y)
        parts.append(f'<text x="{x + 8:.0f}" y="{y + 4:.0f}" fill="{colour}">{escape(name)}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>\n"]), encoding="utf-8")


class _Plane:
    """Maps values to picture coordinates, between whole powers of ten."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self._xs, self._ys = _decades(xs), _decades(ys)

    def at(self, x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (WIDTH - LEFT - RIGHT) * _share(x, self._xs),
            HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _share(y, self._ys),
        )

    def line(self, points: Points, colour: str, how: str = "") -> str:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in points))
        return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"{how}/>'

    def dot(self, point: tuple[float, float], colour: str) -> str:
        x, y = self.at(*point)
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'

    def grid(self) -> list[str]:
        lines = []
        for power in self._xs:
            x, bottom = self.at(10**power, 10 ** self._ys[0])
            lines.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="#ddd"/>')
            lines.append(_number(x, bottom + 18, power, "middle"))
        for power in self._ys:
            x, y = self.at(10 ** self._xs[0], 10**power)
            lines.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
            lines.append(_number(x - 8, y + 4, power, "end"))
        lines.append(f'<text x="{LEFT}" y="{TOP - 8}">ms for one search, p95</text>')
        lines.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 16}" text-anchor="middle">vectors</text>')
        return lines


def _number(x: float, y: float, power: int, anchor: str) -> str:
    """A label: 10 to the given power."""
    raised = f'<tspan dy="-5" font-size="9">{power}</tspan>'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">10{raised}</text>'


def _decades(values: Sequence[float]) -> range:
    """The range of exponents of ten that encloses the values; at least two exponents."""
    first, last = int(log10(min(values)) // 1), -int(-log10(max(values)) // 1)
    return range(first, max(last, first + 1) + 1)


def _share(value: float, powers: range) -> float:
    return (log10(value) - powers[0]) / (powers[-1] - powers[0])
