"""Group similar pictures of a gallery, and find duplicates."""
