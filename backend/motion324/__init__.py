"""Motion324: animates a mesh after a video of the same thing moving.

Each folder is a room whose first lines say what it is for and what may import it. Importing this package,
`motion324.core` or `motion324.client` needs the standard library, numpy and safetensors only: Blender's Python does.
"""

__version__ = "0.1.0"
