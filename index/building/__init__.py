"""From a gallery folder to a new generation."""
