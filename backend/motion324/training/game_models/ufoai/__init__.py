"""Reads robots of UFO: Alien Invasion."""
