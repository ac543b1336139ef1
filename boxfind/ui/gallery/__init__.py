"""Components of the Gallery page."""
