"""Blows a silhouette up to a closed surface, without weights and without a network. The registry imports it."""
