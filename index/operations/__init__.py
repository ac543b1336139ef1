"""Index operations: history, backup, verification, adding and removing images."""
