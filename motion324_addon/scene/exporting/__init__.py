"""Files for other programs, and what they cannot carry; the panels, operators, batches and `showing/` may import it."""
