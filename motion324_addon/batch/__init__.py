"""Jobs that wait for their end: one, or many from a file."""
