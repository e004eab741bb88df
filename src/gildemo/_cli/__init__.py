"""The command line."""

from gildemo._cli._old_cli import main as main
