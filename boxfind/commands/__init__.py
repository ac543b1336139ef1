"""The command line; each module defines one group of commands."""
