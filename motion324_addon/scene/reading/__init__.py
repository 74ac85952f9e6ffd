"""From Blender's objects to a reference mesh: geometry, materials, modifiers."""
