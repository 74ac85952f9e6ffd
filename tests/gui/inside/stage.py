"""Sets the scene for stories: the extension installed, the example's dog on the stage, the sidebar open."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import bpy
from driver import Driver, Wait
from mathutils import Euler, Vector

ALWAYS_OPEN = ("MOTION324_PT_set_up", "MOTION324_PT_animate")
_opened: list[str] = []
PACKAGE = "bl_ext.user_default.motion324"


def module(name: str) -> ModuleType:
    """module("job.runner") of the installed extension."""
    return importlib.import_module(f"{PACKAGE}.{name}")


def install(driver: Driver, zip_path: str) -> Wait:
    """Installs the zip as a user does: Preferences > Get Extensions > (menu) > Install from Disk, the file, Enter."""
    area = driver.area
    area.type = "PREFERENCES"
    bpy.context.preferences.active_section = "EXTENSIONS"
    yield 1.5
    main = next(region for region in area.regions if region.type == "WINDOW")
    yield from driver.click_at(main.x + main.width - 26 * driver.scale, main.y + main.height - 20 * driver.scale)
    yield from driver.press("f")  # the underlined letter of Install from Disk
    yield 1.0
    yield from confirm_file(driver, Path(zip_path))
    yield from driver.wait_until(lambda: PACKAGE in bpy.context.preferences.addons, 60, "the extension is installed")
    yield 1.0
    driver.area_of("PREFERENCES").type = "VIEW_3D"
    yield 1.0


def confirm_file(driver: Driver, path: Path) -> Wait:
    """Chooses the file in the file browser that is open, and confirms it with Enter."""
    yield from driver.wait_until(lambda: driver.shown("FILE_BROWSER") is not None, 10, "the file browser is open")
    browser = driver.area_of("FILE_BROWSER")
    browser.spaces.active.params.directory = str(path.parent).encode()
    browser.spaces.active.params.filename = path.name
    yield 1.0
    driver.move(browser.x + browser.width * 0.6, browser.y + browser.height * 0.3)
    yield 0.3
    yield from driver.press("Return")
    yield 1.0


def confirm_folder(driver: Driver, folder: Path) -> Wait:
    """Chooses the folder in the file browser that is open, and confirms it."""
    yield from driver.wait_until(lambda: driver.shown("FILE_BROWSER") is not None, 10, "the file browser is open")
    driver.area_of("FILE_BROWSER").spaces.active.params.directory = f"{folder}/".encode()
    yield 1.0
    browser = driver.area_of("FILE_BROWSER")
    driver.move(browser.x + browser.width * 0.6, browser.y + browser.height * 0.3)
    yield 0.3
    yield from driver.press("Return")
    yield 1.0


def open_sidebar(driver: Driver) -> Wait:
    driver.area.spaces.active.show_region_ui = True
    yield 1.0
    driver.sidebar.active_panel_category = "Motion324"
    yield from driver.redraw()


def open_panels(but: Sequence[str] = ()) -> None:
    """Has all panels open, but these, when the sidebar is drawn first, after which Blender remembers how they are."""
    panels = module("panels")
    panels.unregister()
    for panel in panels.CLASSES:
        if not panel.__name__.endswith(tuple(f"_{name}" for name in but)):
            panel.bl_options = getattr(panel, "bl_options", set()) - {"DEFAULT_CLOSED"}
    panels.register()


def open_only(driver: Driver, name: str) -> Wait:
    """Of the panels that can be closed, opens that one only; "" for none. They are made anew, as at the first start."""
    panels = module("panels")
    panels.unregister()
    for panel in panels.CLASSES:
        if "INSTANCED" not in getattr(panel, "bl_options", ()) and panel.__name__ not in ALWAYS_OPEN:
            panel.bl_idname = f"{panel.__name__}_{len(_opened)}"
            panel.bl_options = set() if panel.__name__.endswith(f"_{name}") and name else {"DEFAULT_CLOSED"}
    _opened.append(name)
    panels.register()
    yield from driver.redraw()


def dress(theme: str, scale: float) -> None:
    """theme: "dark" or "light"."""
    path = bpy.utils.preset_paths("interface_theme")[0]
    bpy.ops.script.execute_preset(
        filepath=f"{path}/Blender_{theme.title()}.xml", menu_idname="USERPREF_MT_interface_theme_presets"
    )
    bpy.context.preferences.view.ui_scale = scale


def bring_dog(driver: Driver, glb: str) -> Wait:
    """The example's mesh, active and in view, in an otherwise empty scene."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    with bpy.context.temp_override(window=driver.window, area=driver.area):
        bpy.ops.import_scene.gltf(filepath=glb)
    dog = next(obj for obj in bpy.data.objects if obj.type == "MESH")
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj is dog)
    bpy.context.view_layer.objects.active = dog
    space = driver.area.spaces.active
    space.shading.color_type = "TEXTURE"
    region = space.region_3d
    region.view_rotation = Euler((math.radians(78), 0, math.radians(40))).to_quaternion()
    region.view_location = sum((dog.matrix_world @ Vector(corner) for corner in dog.bound_box), Vector()) / 8
    region.view_distance = 2.6 * max(dog.dimensions)
    with bpy.context.temp_override(window=driver.window, area=driver.area):
        bpy.ops.ed.undo_push(message="the dog")
    yield from driver.redraw()


def bring_shapes(driver: Driver) -> None:
    """A ball, a torus, a cube and a cone, side by side and in view, in an otherwise empty scene."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    add = bpy.ops.mesh
    makers = {
        "Ball": add.primitive_uv_sphere_add,
        "Torus": add.primitive_torus_add,
        "Cube": add.primitive_cube_add,
        "Cone": add.primitive_cone_add,
    }
    for place, (name, make) in enumerate(makers.items()):
        make(location=(3.0 * place - 4.5, 0.0, 0.0))
        bpy.context.object.name = name
    region = driver.area.spaces.active.region_3d
    region.view_rotation = Euler((math.radians(70), 0, 0)).to_quaternion()
    region.view_location, region.view_distance = (2.0, 0.0, 0.0), 24.0


def select(names: Sequence[str]) -> None:
    """Selects these objects only; the first is the active one. No names: nothing."""
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj.name in names)
    bpy.context.view_layer.objects.active = bpy.data.objects[names[0]] if names else None


def choose_backend(python: str) -> None:
    """By the variable, so that Blender's preferences stay as they were."""
    os.environ["MOTION324_BACKEND_PYTHON"] = python
