"""Procedural creatures: rigged, animated models out of a random generator, for more variety than any collection has."""
