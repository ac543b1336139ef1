"""python -m boxfind: the same as the command boxfind."""

from boxfind.commands.main import main

if __name__ == "__main__":
    main()
