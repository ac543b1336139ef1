"""Boxes and outlines have the same colours wherever they are drawn."""

COLOURS = ("#ff5a1f", "#1c7ed6", "#ae3ec9")
"""Of the object, the second one and all others."""
