"""The HTTP API; each module defines one group of routes."""
