"""Fetches what people publish, after their licence was accepted, and knows where it lies: the one room that downloads.

Imports core only; reconstructors, evaluation and cli import it. Fetching from the Hugging Face hub needs
huggingface-hub.
"""
