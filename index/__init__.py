"""Vectors and where they came from: the index on disk, what is in it, and how it is built."""
