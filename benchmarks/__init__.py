"""Measurements of quality, speed and scale, the source of RESULTS.md."""
