"""What operators do with an index: history, backup, checks, adding and removing images."""
