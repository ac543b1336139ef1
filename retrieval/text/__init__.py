"""Search by a sentence."""
