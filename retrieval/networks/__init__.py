"""Backbones: where their weights come from and how they run on this machine."""
