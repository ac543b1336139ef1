"""Shared colours of boxes and outlines."""

COLOURS = ("#ff5a1f", "#1c7ed6", "#ae3ec9")
"""For the first object, the second, and all others."""
