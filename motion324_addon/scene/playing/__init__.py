"""A trajectory on an object: preview, shape keys, point cache, taking them away; all above `running/` may import it."""
