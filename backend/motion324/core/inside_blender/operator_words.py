"""Reads what Blender's operators say when they fail."""

from __future__ import annotations


def said_by_operator(error: Exception) -> str:
    """Why one of Blender's operators failed, as it said it: without the marks and the lines of code around it."""
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith(("Location:", 'File "', "Warning:"))]
    if any("Traceback (most recent call last)" in line for line in lines):
        lines = lines[-1:]  # the exception itself
    found = [line for line in lines if line.startswith("Error:")] or lines[-1:]
    return found[0].removeprefix("Error:").strip().rstrip(".") if found else "Blender does not say why"
