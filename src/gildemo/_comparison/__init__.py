"""compare(): measure, decide, explain."""
