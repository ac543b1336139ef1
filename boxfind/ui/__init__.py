"""What the pages share: picking a box, showing results, the state of the index."""
