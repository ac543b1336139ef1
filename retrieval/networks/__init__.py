"""Backbone networks: architectures, weights and runtimes."""
