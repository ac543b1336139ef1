"""The index: its files on disk, vector stores, builds and operations."""
