"""Synthetic galleries resemble real ones; projections are log-linear."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.scale import synthetic_gallery
from benchmarks.scale.__main__ import PROJECTED, Row, _projected
from benchmarks.scale.measure import Searched
from benchmarks.scale.plot import draw
from benchmarks.scale.synthetic_gallery import near, write_table
from retrieval.types import unit


@pytest.fixture
def real() -> np.ndarray:
    return unit(np.random.default_rng(0).normal(size=(50, 64)))


def test_synthetic_vectors_are_near_real_ones_and_distinct(real):
    made = near(real, 500, seed=1)
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)
    assert (made @ real.T).max(axis=1).mean() == pytest.approx(1 / np.sqrt(1 + synthetic_gallery.NOISE**2), abs=0.02)
    assert len(np.unique(made, axis=0)) == 500
    assert not np.isin(near(real, 500, seed=2)[:, 0], made[:, 0]).any()


def test_a_table_is_written_in_distinct_chunks(real, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(synthetic_gallery, "CHUNK", 100)
    write_table(real, 1234, tmp_path / "vectors.npy")
    written = np.load(tmp_path / "vectors.npy")
    assert written.shape == (1234, 64) and written.dtype == np.float32 and len(np.unique(written, axis=0)) == 1234
    assert np.array_equal(written[700:800], near(real, 100, seed=7))
    assert np.array_equal(written[1200:], near(real, 34, seed=12))


def row(vectors: int, seconds: float) -> Row:
    return Row(vectors, "flat", 64, None, Searched(0.0, (seconds,) * 3, 1.0, 0, 0))


def test_a_projection_extrapolates_the_last_two_sizes():
    rows = [row(10_000, 0.5), row(1_000_000, 0.010), row(10_000_000, 0.100)]
    at, milliseconds = _projected(rows, "flat")
    assert at == PROJECTED and milliseconds == pytest.approx(1000)
    assert _projected(rows[:1], "flat") is None and _projected(rows, "half") is None


def test_the_plot_has_a_solid_and_a_dashed_line_for_each_store(tmp_path: Path):
    measured = {"flat": [(1e4, 1.0), (1e6, 100.0)], "cells <1>": [(1e4, 2.0)]}
    draw(tmp_path / "images" / "plot.svg", "A & B", measured, {"flat": [(1e8, 10_000.0)]})
    drawn = ElementTree.parse(tmp_path / "images" / "plot.svg").getroot()
    lines = drawn.findall("{*}polyline")
    assert sum("stroke-dasharray" in line.attrib for line in lines) == len(lines) / 2 == 2
    assert len(drawn.findall("{*}circle")) == 3
    places = [tuple(map(float, place.split(","))) for line in lines[:2] for place in line.attrib["points"].split()]
    assert places == sorted(places) and [y for _, y in places] == sorted((y for _, y in places), reverse=True)
