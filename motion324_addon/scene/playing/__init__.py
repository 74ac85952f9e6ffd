"""A trajectory on an object: preview, shape keys, point cache, and taking them away again."""
