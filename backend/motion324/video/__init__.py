"""Video in: decoding, and the foreground masks."""
