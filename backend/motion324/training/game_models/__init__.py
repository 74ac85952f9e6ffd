"""Rigs to train on from the models of free games."""
