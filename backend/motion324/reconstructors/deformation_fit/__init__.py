"""Fits a deformation graph to the video's optical flow and silhouettes. The registry imports it."""
