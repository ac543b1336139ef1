"""Ranking: vector search, query expansion, diffusion, geometric verification."""
