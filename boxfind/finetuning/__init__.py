"""Train a projection head on labelled images with a frozen backbone, and evaluate it on held-out objects."""
