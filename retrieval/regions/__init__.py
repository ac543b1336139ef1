"""Regions: the boxes of an image that get their own descriptors."""
