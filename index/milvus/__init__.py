"""Store and search vectors in Milvus."""
