"""What the artist chooses: the scene's properties, the extension's preferences, the chosen video."""
