"""Rigs as plain data: bones, weights and their keys."""
