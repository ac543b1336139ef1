"""Vectors kept and searched in Milvus."""
