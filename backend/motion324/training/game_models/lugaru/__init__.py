"""Reads the fighters of Lugaru."""
