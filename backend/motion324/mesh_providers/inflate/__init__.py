"""A silhouette blown up to a closed surface: a mesh from one picture, without weights and without a network."""
