"""How fast the program is."""
