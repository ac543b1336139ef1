"""Pages and controls for administrators: the index, its history and the gallery folder."""
