"""How results look. These modules know results, and neither executors nor measuring."""
