"""`python run_pip.py PIP.whl ARGUMENT...`: pip out of its wheel, since a Python may come without pip and ensurepip."""

from __future__ import annotations

import runpy
import sys

import lifeline

if __name__ == "__main__":
    lifeline.hold()
    wheel, *arguments = sys.argv[1:]
    sys.path.insert(0, wheel)
    sys.argv = ["pip", *arguments]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
