"""Bytes become upright RGB images, within limits."""
