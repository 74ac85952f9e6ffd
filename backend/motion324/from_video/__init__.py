"""From a video alone to an animated, coloured mesh: stages whose products are kept, and that are not done twice."""
