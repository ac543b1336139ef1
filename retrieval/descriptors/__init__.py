"""Feature maps become whitened, unit-length descriptors."""
