"""Searches that are sent as a link, kept under a name, and run again when the gallery has changed."""
