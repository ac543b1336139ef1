"""Which groups of a video may hide a cut, by the sizes of their compressed frames."""

from types import SimpleNamespace

import pytest

video_decoder = pytest.importorskip("retrieval.images.video_decoder", exc_type=ImportError)
Group, may_have_cut = video_decoder.Group, video_decoder._may_have_cut
STEADY = [48, 10, 11, 9] * 30
"""Kilobytes of frames that predict others, and of frames between them."""


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], False),
        (STEADY, False),
        ([95, 70, *STEADY], False),
        ([*STEADY[:60], 95, *STEADY[60:]], True),
        ([*STEADY[:60], 190, *STEADY[60:]], True),
    ],
    ids=["only the key frame", "steady", "larger after the key frame", "a cut", "a cut to a busy scene"],
)
def test_a_frame_that_stands_out_may_begin_a_shot(sizes, expected):
    packets = [SimpleNamespace(size=1000 * size) for size in (220, *sizes)]
    assert may_have_cut(Group(packets, starts=True, complete=True)) is expected


def test_still_scenes_have_no_cut():
    packets = [SimpleNamespace(size=size) for size in (220_000, *[100] * 50, 4000, *[100] * 50)]
    assert not may_have_cut(Group(packets, starts=True, complete=True))
