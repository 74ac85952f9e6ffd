"""Reads the units of MegaGlest."""
