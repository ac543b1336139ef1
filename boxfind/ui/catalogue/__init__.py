"""Components of the Catalogue page."""
