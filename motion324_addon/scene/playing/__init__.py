"""A trajectory on an object: preview, shape keys, point cache, removing them; all but `runner_base/` may import it."""
