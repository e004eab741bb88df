"""Benchmarks: they print and never gate. A package, so that file names may repeat those above."""
