"""Motion324: animates a mesh after a video of the same thing moving.

For scripts there are `motion324.animate` and `motion324.batch`: see motion324.batches.scripting.

Each folder is a room whose first lines say what it is for and what may import it. Importing this package,
`motion324.core` or `motion324.client` needs the standard library, numpy and safetensors only: Blender's Python does.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motion324.batches.scripting import animate as animate
    from motion324.batches.scripting import batch as batch

__version__ = "0.1.0"
__all__ = ["__version__", "animate", "batch"]


def __getattr__(name: str) -> Any:
    """Imports the API where a script asks for it, and nothing of it before."""
    if name in ("animate", "batch"):
        from motion324.batches import scripting

        return getattr(scripting, name)
    raise AttributeError(f"module 'motion324' has no attribute '{name}'")
