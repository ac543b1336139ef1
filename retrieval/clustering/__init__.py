"""Group regions that show the same thing."""
