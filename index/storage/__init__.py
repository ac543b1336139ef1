"""The index on disk: generations, their tables and files. The gallery folder scan."""
