"""What is done with a trajectory once it is known: smoothing, files, the overlay on the video."""
