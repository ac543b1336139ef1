"""What other programs may ask over HTTP, one file a family of addresses."""
