"""One animation job: its state, the pure function that changes it, and what carries out the effects."""
