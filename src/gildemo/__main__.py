"""Lets `python -m gildemo` be the command."""

from gildemo.cli import main

if __name__ == "__main__":
    main()
