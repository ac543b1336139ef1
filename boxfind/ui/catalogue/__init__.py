"""The catalogue page: groups of pictures that show the same thing."""
