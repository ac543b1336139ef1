"""Training a head on labelled pictures: the network stays as it is, and what was learned is measured honestly."""
