"""Groups of look-alikes and duplicates in a gallery."""
