"""Keyframes on bones: what of a .blend they are fitted to, and keeping them. For the job, operators import it too."""
