"""Synthetic clips: rigs and creatures posed, lit and filmed on the device.

Imports training.shared; clips and both programs may import it.
"""
