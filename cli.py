#!/usr/bin/env python
"""The command line from a checkout that is not installed: `python cli.py ...` is `boxfind ...`."""

from boxfind.commands.main import main

if __name__ == "__main__":
    main()
