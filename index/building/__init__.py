"""Build a new generation from a gallery folder."""
