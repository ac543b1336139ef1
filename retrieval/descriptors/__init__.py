"""Descriptors: pooling, whitening and the recipe that defines them."""
