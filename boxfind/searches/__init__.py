"""Share searches as links, save them under names, and compare their results over time."""
