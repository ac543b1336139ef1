"""Benchmarks. Each module prints a table and writes it to RESULTS.md."""
