"""Settings are tuned on one half of the objects and reported on the other."""

from benchmarks.quality.rankings import half


def test_the_half_does_not_change():
    assert half(set("abcdefgh")) == {"b", "c", "e", "f"}
