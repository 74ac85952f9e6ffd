"""Reads the karts, drivers and animated things of SuperTuxKart."""
