"""Shared page components."""
