"""Which boxes of an image get a descriptor of their own."""
