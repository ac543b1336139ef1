"""Image retrieval: descriptors, ranking and grouping. Independent of the stored index and the web pages."""
