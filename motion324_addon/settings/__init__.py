"""What the artist chooses: the scene's properties, the preferences, the video; all rooms above it may import it."""
