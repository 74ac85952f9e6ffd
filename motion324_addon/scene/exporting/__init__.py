"""Files for other programs, and what they cannot carry."""
