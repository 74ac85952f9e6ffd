"""What is done with a trajectory after it was found: retimed, tweaked, pinned, its root taken out."""
