"""Meshes and materials as arrays, and a new mesh of arrays."""
