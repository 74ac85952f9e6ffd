"""From Blender's objects to a mesh: geometry, materials, modifiers; all but `runner_base/` may import it."""
