"""Group regions that show the same object."""
