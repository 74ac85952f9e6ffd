"""`python run_pip.py PIP.whl ARGUMENT...`: pip out of its wheel, since a Python may come without pip and ensurepip.

Where a package index answers with an error, pip keeps that to itself and only says that there is no such package; here
a line says so, `Package index error: 503`.
"""

from __future__ import annotations

import re
import runpy
import sys
from typing import Any

import lifeline


def tell_index_errors() -> None:
    """Only the number is told: addresses may hold passwords. 404 is how an index says that it lacks a package."""
    from pip._internal.index import collector

    pass_over = collector._handle_get_simple_fail

    def tell(link: Any, reason: Any, *rest: Any, **named: Any) -> None:
        code = getattr(getattr(reason, "response", None), "status_code", None)
        if code is None and (found := re.search(r"too many ([45]\d\d) error responses", str(reason))):
            code = int(found[1])
        if code not in (None, 404):
            print(f"Package index error: {code}", flush=True)
        pass_over(link, reason, *rest, **named)

    collector._handle_get_simple_fail = tell


if __name__ == "__main__":
    lifeline.hold()
    wheel, *arguments = sys.argv[1:]
    sys.path.insert(0, wheel)
    tell_index_errors()
    sys.argv = ["pip", *arguments]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
