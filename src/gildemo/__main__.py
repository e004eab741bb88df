"""Makes `python -m gildemo` run the command."""

from gildemo._cli import main

if __name__ == "__main__":
    main()
