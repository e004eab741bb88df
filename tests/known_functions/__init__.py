"""Calls of the standard library of which it is known whether they release the GIL."""
