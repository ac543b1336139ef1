"""Vector stores: flat, float16, IVF and Milvus."""
