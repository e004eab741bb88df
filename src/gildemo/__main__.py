"""Makes `python -m gildemo` the command."""

from gildemo._cli import main

if __name__ == "__main__":
    main()
