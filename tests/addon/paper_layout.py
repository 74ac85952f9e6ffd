"""A layout that draws on paper: it notes what a panel asks for, and refuses what this Blender's layouts do not know.

Without a window Blender draws no panels, and only with this is it seen that each works in every version of Blender.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

FUNCTIONS = bpy.types.UILayout.bl_rna.functions
SETTINGS = bpy.types.UILayout.bl_rna.properties
ICONS = set(FUNCTIONS["prop"].parameters["icon"].enum_items.keys())


class Paper:
    """drawn: (function, what) of everything, shared with the layouts inside; what: a text, a property, an operator.

    buttons: the operators' buttons, shared as well: (operator, arguments, whether it can be pressed).
    fields: the properties, shared as well: (what has it, its name, whether it can be changed).
    """

    def __init__(self, around: Paper | None = None) -> None:
        self.__dict__["drawn"] = [] if around is None else around.drawn
        self.__dict__["buttons"] = [] if around is None else around.buttons
        self.__dict__["fields"] = [] if around is None else around.fields
        self.__dict__["pressable"] = around is None or around.is_pressable

    @property
    def texts(self) -> str:
        return " ".join(what for function, what in self.drawn if function == "label")

    def has(self, function: str, what: str) -> bool:
        return (function, what) in self.drawn

    @property
    def is_pressable(self) -> bool:
        """Whether buttons drawn now would not be grey."""
        return self.pressable and self.__dict__.get("enabled", True)

    def are_live(self, operator: str, **arguments: object) -> list[bool]:
        """Of each button that calls the operator with these arguments, whether it can be pressed."""
        wanted = arguments.items()
        return [live for name, given, live in self.buttons if name == operator and wanted <= given.items()]

    def __setattr__(self, name: str, value: object) -> None:
        assert name in SETTINGS, f"a layout has no setting {name}"
        self.__dict__[name] = value

    def __getattr__(self, name: str) -> Callable[..., Any]:
        assert name in FUNCTIONS, f"a layout has no function {name}"
        parameters = FUNCTIONS[name].parameters
        inputs = [each.identifier for each in parameters if not each.is_output]

        def draw(*given: object, **named: object) -> Any:
            assert len(given) <= sum(each.is_required for each in parameters if not each.is_output)
            for key in named:
                assert key in inputs, f"{name} knows no {key}"
            everything = {**dict(zip(inputs, given, strict=False)), **named}
            assert everything.get("icon", "NONE") in ICONS, f"there is no icon {everything['icon']}"
            return self._note(name, everything)

        return draw

    def _note(self, name: str, given: dict[str, Any]) -> Any:
        if name.startswith("prop"):
            assert given["property"] in given["data"].bl_rna.properties, f"there is no property {given['property']}"
            self.drawn.append((name, given["property"]))
            self.fields.append((given["data"], given["property"], self.is_pressable))
        elif name == "operator":
            module, _, function = given["operator"].partition(".")
            operator = getattr(getattr(bpy.ops, module), function).get_rna_type()
            self.drawn.append((name, given["operator"]))
            arguments = _Arguments(operator)
            self.buttons.append((given["operator"], arguments.given, self.is_pressable))
            return arguments
        else:
            self.drawn.append((name, str(given.get("text", ""))))
        return Paper(self)


class _Arguments:
    """What a button's operator will be called with."""

    def __init__(self, operator: bpy.types.Struct) -> None:
        self.__dict__["operator"] = operator
        self.__dict__["given"] = {}

    def __setattr__(self, name: str, value: object) -> None:
        assert name in self.operator.properties, f"{self.operator.identifier} has no argument {name}"
        self.given[name] = value
