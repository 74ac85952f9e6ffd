"""Jobs that wait for their end, one or many from a file; `headless.py` and the operators may import it."""
