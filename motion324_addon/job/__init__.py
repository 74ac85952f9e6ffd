"""The animation jobs: their states, the pure function that changes them, and what carries out the effects."""
