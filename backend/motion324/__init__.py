"""Motion324: animates a mesh after a video of the same thing moving.

Importing this package, `motion324.protocol`, `motion324.client`, `motion324.errors`, `motion324.options` or
`motion324.point_cache` needs the standard library, numpy and safetensors only: Blender's Python imports them.
"""

__version__ = "0.1.0"
