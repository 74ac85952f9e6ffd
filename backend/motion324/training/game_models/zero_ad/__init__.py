"""Reads the models of 0 A.D. (the engine Pyrogenesis)."""
