"""Reads characters of Cube 2's free data."""
