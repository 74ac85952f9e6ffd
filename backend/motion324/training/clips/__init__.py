"""Samples to train on, from releases on disk or from synthesis, on their way to a model.

Imports training.shared and synthesis; both programs may import it.
"""
