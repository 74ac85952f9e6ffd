"""Armatures, skin weights and F-curves: reading them, making rigs, writing keys and rigged files."""
