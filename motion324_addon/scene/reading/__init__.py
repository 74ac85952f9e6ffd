"""From Blender's objects to a reference mesh: geometry, materials, modifiers; all above `running/` may import it."""
