"""A camera that goes around the object while it moves."""

from __future__ import annotations

import contextlib
import ctypes
import math
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
from mathutils import Matrix, Vector

from motion324.errors import EXIT_BAD_MESH, EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.write_aside import explained_write_errors

from . import sampling
from .mesh_reading import checked_object
from .sampling import Extent
from .shader_tracing import trace_material
from .timing import scene_fps
from .video_encoding import encode_video, save_as, set_fps

EEVEE = "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"
ENGINES = {"WORKBENCH": "BLENDER_WORKBENCH", "EEVEE": EEVEE, "CYCLES": "CYCLES"}
STUDIO_LIGHT = "paint.sl"  # of those that Blender brings along, the one that keeps textures at their own brightness
FIELD_OF_VIEW = math.radians(35)


@dataclass(frozen=True)
class Turntable:
    """engine: a key of ENGINES. size: pixels of both sides, even. turns: rounds over the whole animation.
    elevation: degrees above the horizon. azimuth: degrees where the round begins; 0 looks at the front (-Y).
    background: linear RGB. samples: per pixel, for Cycles and EEVEE.
    """

    engine: str = "WORKBENCH"
    size: int = 512
    turns: float = 1.0
    elevation: float = 15.0
    azimuth: float = 0.0
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    samples: int = 16


def render_turntable(
    obj: bpy.types.Object, path: Path, first: int, last: int, settings: Turntable = Turntable()
) -> Iterator[tuple[int, int]]:
    """Renders the scene's frames first..last to an .mp4, or to PNG pictures where `path` is a folder or has no suffix.

    Yields (done, total) after each frame; closing the generator stops and leaves nothing behind. The scene stays as it
    is. Raises Motion324Error: "no-renderer", "turntable-path", "object-invisible", or what `encode_video` and
    `mesh_reading.checked_object` raise.
    """
    checked_object(obj)
    path = Path(path)
    is_video = path.suffix.lower() == ".mp4"
    if path.suffix and not is_video and not path.is_dir():
        raise Motion324Error(
            "turntable-path",
            f"A turntable cannot be written as '{path.name}'.",
            "Use a name that ends in .mp4, or a folder for PNG pictures.",
            EXIT_CANNOT_WRITE,
        )
    if settings.engine not in ENGINES:
        raise Motion324Error(
            "no-renderer",
            f"There is no engine '{settings.engine}'.",
            f"Choose one of {', '.join(ENGINES)}.",
            EXIT_USAGE,
        )
    check_renderer(settings.engine)
    fps = scene_fps(bpy.context.scene)
    with (
        tempfile.TemporaryDirectory(prefix="motion324-turntable-") as scratch,
        _studio(obj, first, last, settings) as studio,
    ):
        pictures = []
        for frame in range(first, last + 1):
            pictures.append(Path(scratch) / f"{frame:04d}.png")
            studio.render(frame, pictures[-1])
            yield frame - first + 1, last - first + 1
        if is_video:
            encode_video(pictures, path, fps)
        else:
            _hand_over(pictures, path)


def check_renderer(engine: str) -> None:
    """Raises Motion324Error("no-renderer") where the engine would end the process instead of rendering.

    Workbench and EEVEE draw through OpenGL. Without a window they reach it by EGL, on Linux.
    """
    if engine == "CYCLES" or not bpy.app.background or not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError as error:
        raise Motion324Error(
            "no-renderer",
            f"{engine.capitalize()} cannot render without a window here: the library libEGL is missing.",
            "Install it (Debian, Ubuntu: apt install libegl1 libgl1-mesa-dri), or choose Cycles.",
            EXIT_CANNOT_WRITE,
        ) from error


def _hand_over(pictures: list[Path], folder: Path) -> None:
    with explained_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            shutil.copyfile(picture, folder / picture.name)


class _Studio:
    """A scene of its own, with the object, a camera, lights and a plain background."""

    def __init__(self, obj: bpy.types.Object, extent: Extent, first: int, last: int, settings: Turntable) -> None:
        self.first, self.frames, self.settings = first, last - first + 1, settings
        self.centre = Vector(extent.centre)
        self.distance = _distance(extent, math.radians(settings.elevation))
        self.scene = bpy.data.scenes.new("Motion324 Turntable")
        self.camera = bpy.data.objects.new("Motion324 Camera", bpy.data.cameras.new("Motion324 Camera"))
        self.light = bpy.data.objects.new("Motion324 Key", bpy.data.lights.new("Motion324 Key", "SUN"))
        self.world = bpy.data.worlds.new("Motion324 Background")
        for member in (obj, self.camera, self.light):
            self.scene.collection.objects.link(member)
        self._set_up_camera()
        self._set_up_world()
        self._set_up_render(obj)

    def render(self, frame: int, path: Path) -> None:
        around = (
            math.radians(self.settings.azimuth) + math.tau * self.settings.turns * (frame - self.first) / self.frames
        )
        up = math.radians(self.settings.elevation)
        # Azimuth 0 looks from -Y, Blender's front; it rises towards +X.
        outwards = Vector((math.sin(around) * math.cos(up), -math.cos(around) * math.cos(up), math.sin(up)))
        turn = (-outwards).to_track_quat("-Z", "Y").to_matrix().to_4x4()
        self.camera.matrix_world = Matrix.Translation(self.centre + outwards * self.distance) @ turn
        self.light.matrix_world = self.camera.matrix_world @ Matrix.Rotation(math.radians(-35), 4, (1.0, 0.7, 0.0))
        self.scene.frame_set(frame)
        self.scene.render.filepath = str(path)
        # Naming the scene to the operator instead would render it at the frame of the scene that the window shows.
        with bpy.context.temp_override(scene=self.scene, view_layer=self.scene.view_layers[0]):
            bpy.ops.render.render(write_still=True)

    def take_down(self) -> None:
        camera, light = self.camera.data, self.light.data
        bpy.data.objects.remove(self.camera)
        bpy.data.objects.remove(self.light)
        bpy.data.cameras.remove(camera)
        bpy.data.lights.remove(light)
        bpy.data.scenes.remove(self.scene)
        bpy.data.worlds.remove(self.world)

    def _set_up_camera(self) -> None:
        data = self.camera.data
        data.angle = FIELD_OF_VIEW
        data.clip_start, data.clip_end = self.distance * 1e-3, self.distance * 10
        self.scene.camera = self.camera

    def _set_up_world(self) -> None:
        self.world.color = self.settings.background
        if bpy.app.version < (5, 0, 0):  # from 5.0 on every world has them
            self.world.use_nodes = True
        tree = self.world.node_tree
        background = next(node for node in tree.nodes if node.type == "BACKGROUND")
        background.inputs["Color"].default_value = (*self.settings.background, 1.0)
        # The camera sees the background as it is; as a light it is dimmer, so that the key light shows the shape.
        rays, strength = tree.nodes.new("ShaderNodeLightPath"), tree.nodes.new("ShaderNodeMath")
        strength.operation = "MULTIPLY_ADD"
        strength.inputs[1].default_value, strength.inputs[2].default_value = 0.55, 0.45
        tree.links.new(rays.outputs["Is Camera Ray"], strength.inputs[0])
        tree.links.new(strength.outputs["Value"], background.inputs["Strength"])
        self.light.data.energy = 1.6
        self.scene.world = self.world

    def _set_up_render(self, obj: bpy.types.Object) -> None:
        scene, render, size = self.scene, self.scene.render, self.settings.size + self.settings.size % 2
        render.engine = ENGINES[self.settings.engine]
        render.resolution_x, render.resolution_y, render.resolution_percentage = size, size, 100
        render.use_file_extension = False
        save_as(render.image_settings, "PNG")
        render.image_settings.color_mode = "RGB"
        source = bpy.context.scene
        set_fps(render, scene_fps(source))
        scene.unit_settings.scale_length = source.unit_settings.scale_length
        scene.view_settings.view_transform = "Standard"
        if self.settings.engine == "CYCLES":
            scene.cycles.samples = self.settings.samples
        elif self.settings.engine == "EEVEE":
            scene.eevee.taa_render_samples = self.settings.samples
        else:
            scene.display.shading.light = "STUDIO"
            if STUDIO_LIGHT in bpy.context.preferences.studio_lights:
                scene.display.shading.studio_light = STUDIO_LIGHT
            scene.display.shading.color_type = _workbench_colour(obj)
            scene.display.render_aa = "8"


def _distance(extent: Extent, elevation: float) -> float:
    """From where the camera sees the whole cylinder from every side, with a margin."""
    radius, height = extent.radius, extent.half_height
    distance = radius / math.sin(FIELD_OF_VIEW / 2)  # its sides
    for side in (-radius, radius):  # its rims, where they are farthest from and nearest to the camera
        for up in (-height, height):
            ahead = side * math.cos(elevation) + up * math.sin(elevation)
            aside = abs(up * math.cos(elevation) - side * math.sin(elevation))
            distance = max(distance, ahead + aside / math.tan(FIELD_OF_VIEW / 2))
    return 1.05 * distance


def _workbench_colour(obj: bpy.types.Object) -> str:
    looks = [trace_material(slot.material) for slot in obj.material_slots]
    if any(look.image for look in looks):
        return "TEXTURE"
    return "VERTEX" if any(look.colour_attribute is not None for look in looks) else "MATERIAL"


@contextlib.contextmanager
def _studio(obj: bpy.types.Object, first: int, last: int, settings: Turntable) -> Iterator[_Studio]:
    extent = sampling.extent_in_world(obj, first, last)
    if not extent.radius + extent.half_height > 0:
        raise Motion324Error("object-invisible", f"'{obj.name}' has no size.", "Choose another object.", EXIT_BAD_MESH)
    hidden = obj.hide_render
    obj.hide_render = False
    studio = _Studio(obj, extent, first, last, settings)
    try:
        yield studio
    finally:
        studio.take_down()
        obj.hide_render = hidden
