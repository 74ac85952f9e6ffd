"""Operators with a file dialog: what Blender's file browser takes for its own."""

from __future__ import annotations

import importlib
import inspect

import bpy
import pytest

# What the file browser reads from and writes to the operator that opened it, by name alone, and of which type it takes
# that to be (Blender's source: file_operator_to_sfile and fileselect_initialize_params_ex). Another type is undefined
# behaviour: an enum named `files` ends Blender.
BROWSERS_OWN = {
    "filepath": "STRING",
    "directory": "STRING",
    "filename": "STRING",
    "files": "COLLECTION",
    "dirs": "COLLECTION",
    "filemode": "INT",
    "filter_glob": "STRING",
    "check_existing": "BOOLEAN",
    "relative_path": "BOOLEAN",
    "display_type": "ENUM",
    "sort_method": "ENUM",
}
BROWSERS_ELEMENTS = {"files": "OperatorFileListElement", "dirs": "OperatorFileListElement"}


def misused(operator: bpy.types.Struct) -> list[str]:
    """The operator's properties that the file browser would take for something else than they are."""
    wrong = []
    for prop in operator.properties:
        expected = BROWSERS_OWN.get(prop.identifier)
        element = BROWSERS_ELEMENTS.get(prop.identifier)
        if prop.identifier.startswith("filter_") and expected is None:
            expected = "BOOLEAN"
        if expected and prop.type != expected or element and prop.fixed_type.identifier != element:
            wrong.append(prop.identifier)
    return wrong


def opens_a_file_dialog(cls: type) -> bool:
    return any("fileselect_add" in inspect.getsource(base) for base in cls.__mro__ if hasattr(base, "invoke"))


def test_no_operator_has_a_property_that_the_file_browser_takes_for_its_own(installed):
    classes = importlib.import_module(f"{installed}.operators").CLASSES
    dialogs = {cls.bl_idname.partition(".")[2] for cls in classes if opens_a_file_dialog(cls)}
    assert dialogs >= {"pick_video", "install_from_folder", "export", "turntable"}
    for cls in classes:  # of those without a dialog as well: they may get one
        operator = getattr(bpy.ops.motion324, cls.bl_idname.partition(".")[2]).get_rna_type()
        assert misused(operator) == [], cls.bl_idname


@pytest.mark.parametrize("name", ["filepath", "directory", "filename", "files", "filemode"])
def test_such_a_property_would_be_noticed(name):
    class MOTION324_OT_probe(bpy.types.Operator):
        bl_idname = "motion324.probe"
        bl_label = "Probe"
        __annotations__ = {name: bpy.props.EnumProperty(items=(("A", "A", "A"),))}

    bpy.utils.register_class(MOTION324_OT_probe)
    try:
        assert misused(bpy.ops.motion324.probe.get_rna_type()) == [name]
    finally:
        bpy.utils.unregister_class(MOTION324_OT_probe)
