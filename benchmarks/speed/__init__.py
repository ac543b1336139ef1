"""Speed of builds, searches and startup."""
