"""Measures how alike rendered videos of truth and prediction look. The command `evaluate` imports it."""
