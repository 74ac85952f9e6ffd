"""What both training programs and their data need: options, processes, numbers of samples.

Imports nothing else of training; all of its rooms may import it.
"""
