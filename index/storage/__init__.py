"""The index on disk: generations, their tables and files, and the gallery folder."""
