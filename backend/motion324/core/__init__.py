"""What both processes speak of: errors, options, meshes, results, files of both sides.

Needs the standard library and numpy only; everything may import it, it imports nothing else of motion324.
"""
