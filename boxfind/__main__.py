"""Run the command line: `python -m boxfind` is the same as `boxfind`."""

from boxfind.commands.main import main

if __name__ == "__main__":
    main()
