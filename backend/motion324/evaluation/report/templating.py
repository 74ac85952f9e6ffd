"""Fills HTML pages from templates with jinja2, which escapes whatever stands in them. Templates lie in `templates/`."""

from __future__ import annotations

from typing import Any

import jinja2
from markupsafe import Markup

from motion324.evaluation.table import number


def filled(template: str, *packages: str, **values: Any) -> Markup:
    """The text of a template, with `values` in it. packages: whose `templates` folder is looked into, before ours.

    base.html is what a page extends: it has the look, the block `style` for more of it, and the block `body`.
    """
    loaders = [jinja2.PackageLoader(package) for package in (*packages, __name__.rpartition(".")[0])]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    return Markup(environment.get_template(template).render(values))
