"""What an operator can ask for on the command line, one file a family of commands."""
