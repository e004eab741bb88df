"""The demonstration: the same work with the GIL held and released, and what the figures say."""

from gildemo._demo.conclusions import conclusions
from gildemo._demo.demonstration import Demonstration, demonstration, original
from gildemo._demo.task_table import PUBLISHED

__all__ = ["PUBLISHED", "Demonstration", "conclusions", "demonstration", "original"]
