"""Files to run the program on a server, and a check of them."""
