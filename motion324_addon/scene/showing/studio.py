"""Makes a scene of its own for pictures of objects: a camera that goes around them, lights, and a plain background."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
from mathutils import Euler, Matrix, Vector

from motion324.core.inside_blender.mesh.shader_tracing import trace_material
from motion324.core.options.turntable_settings import THREE_POINT, TRANSPARENT

from ..exporting.sampling import Extent
from ..playing.timing import scene_fps
from .video_encoding import save_as, set_fps

EEVEE = "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"
ENGINES = {"WORKBENCH": "BLENDER_WORKBENCH", "EEVEE": EEVEE, "CYCLES": "CYCLES"}
FIELD_OF_VIEW = math.radians(35)


@dataclass(frozen=True)
class Lighting:
    """engine: a key of ENGINES. look: of Turntable's choices. samples: per pixel, for Cycles and EEVEE.

    WHITE and TRANSPARENT have the same soft light; THREE_POINT has a key, a fill and a rim light before a grey
    background. All lights turn with the camera. Workbench has studio lights of its own, which come near these.
    """

    engine: str
    look: str
    samples: int

    @property
    def background(self) -> tuple[float, float, float]:
        """Linear RGB."""
        return (0.09, 0.095, 0.105) if self.look == THREE_POINT else (1.0, 1.0, 1.0)

    @property
    def ambient(self) -> float:
        """How much of the background lights the objects."""
        return 0.6 if self.look == THREE_POINT else 0.45

    @property
    def studio_light(self) -> str:
        """Of those that Blender brings along; the one for white keeps textures at their own brightness."""
        return "studio.sl" if self.look == THREE_POINT else "paint.sl"

    @property
    def lamps(self) -> tuple[tuple[str, float, float, float], ...]:
        """Name, degrees to the camera's right, degrees above it, strength of a sun."""
        if self.look == THREE_POINT:
            return ("Key", -40.0, 35.0, 3.2), ("Fill", 55.0, 5.0, 0.9), ("Rim", 160.0, 40.0, 4.0)
        return (("Key", -20.0, 28.0, 1.6),)


class Studio:
    """The scene. `render` makes one picture of it; `take_down` removes all that it has made."""

    def __init__(
        self,
        objects: Sequence[bpy.types.Object],
        extent: Extent,
        size: int,
        elevation: float,
        lighting: Lighting,
    ) -> None:
        """size: pixels of both sides. elevation: degrees above the horizon."""
        self.lighting = lighting
        self.elevation = math.radians(elevation)
        self.centre = Vector(extent.centre)
        self.distance = camera_distance(extent, self.elevation)
        self.scene = bpy.data.scenes.new("Motion324 Turntable")
        self.camera = bpy.data.objects.new("Motion324 Camera", bpy.data.cameras.new("Motion324 Camera"))
        self.lights = [self._lamp(name, strength) for name, _, _, strength in lighting.lamps]
        self.world = bpy.data.worlds.new("Motion324 Background")
        for member in (*objects, self.camera, *self.lights):
            self.scene.collection.objects.link(member)
        self._set_up_camera()
        self._set_up_world()
        self._set_up_render(objects, size + size % 2)

    def render(self, frame: int, azimuth: float, path: Path) -> None:
        """Writes a PNG of the scene's frame. azimuth: degrees; 0 looks from -Y, Blender's front, 90 from +X."""
        around, up = math.radians(azimuth), self.elevation
        outwards = Vector((math.sin(around) * math.cos(up), -math.cos(around) * math.cos(up), math.sin(up)))
        turn = (-outwards).to_track_quat("-Z", "Y").to_matrix().to_4x4()
        self.camera.matrix_world = Matrix.Translation(self.centre + outwards * self.distance) @ turn
        for lamp, (_, aside, above, _) in zip(self.lights, self.lighting.lamps, strict=True):
            tilt = Euler((-math.radians(above), math.radians(aside), 0.0), "XYZ").to_matrix().to_4x4()
            lamp.matrix_world = self.camera.matrix_world @ tilt
        self.scene.frame_set(frame)
        self.scene.render.filepath = str(path)
        # Naming the scene to the operator instead would render it at the frame of the scene that the window shows.
        with bpy.context.temp_override(scene=self.scene, view_layer=self.scene.view_layers[0]):
            bpy.ops.render.render(write_still=True)

    def take_down(self) -> None:
        camera, lights = self.camera.data, [lamp.data for lamp in self.lights]
        for obj in (self.camera, *self.lights):
            bpy.data.objects.remove(obj)
        bpy.data.cameras.remove(camera)
        for light in lights:
            bpy.data.lights.remove(light)
        bpy.data.scenes.remove(self.scene)
        bpy.data.worlds.remove(self.world)

    def _lamp(self, name: str, strength: float) -> bpy.types.Object:
        lamp = bpy.data.objects.new(f"Motion324 {name}", bpy.data.lights.new(f"Motion324 {name}", "SUN"))
        lamp.data.energy = strength
        lamp.data.angle = math.radians(10)
        return lamp

    def _set_up_camera(self) -> None:
        data = self.camera.data
        data.angle = FIELD_OF_VIEW
        data.clip_start, data.clip_end = self.distance * 1e-3, self.distance * 10
        self.scene.camera = self.camera

    def _set_up_world(self) -> None:
        self.world.color = self.lighting.background
        if bpy.app.version < (5, 0, 0):  # from 5.0 on every world has them
            self.world.use_nodes = True
        tree = self.world.node_tree
        background = next(node for node in tree.nodes if node.type == "BACKGROUND")
        background.inputs["Color"].default_value = (*self.lighting.background, 1.0)
        # The camera sees the background as it is; as a light it is dimmer, so that the key light shows the shape.
        rays, strength = tree.nodes.new("ShaderNodeLightPath"), tree.nodes.new("ShaderNodeMath")
        strength.operation = "MULTIPLY_ADD"
        strength.inputs[1].default_value = 1.0 - self.lighting.ambient
        strength.inputs[2].default_value = self.lighting.ambient
        tree.links.new(rays.outputs["Is Camera Ray"], strength.inputs[0])
        tree.links.new(strength.outputs["Value"], background.inputs["Strength"])
        self.scene.world = self.world

    def _set_up_render(self, objects: Sequence[bpy.types.Object], size: int) -> None:
        scene, render, lighting = self.scene, self.scene.render, self.lighting
        render.engine = ENGINES[lighting.engine]
        render.resolution_x, render.resolution_y, render.resolution_percentage = size, size, 100
        render.use_file_extension = False
        render.film_transparent = lighting.look == TRANSPARENT
        save_as(render.image_settings, "PNG")
        render.image_settings.color_mode = "RGBA" if lighting.look == TRANSPARENT else "RGB"
        source = bpy.context.scene
        set_fps(render, scene_fps(source))
        render.frame_map_old, render.frame_map_new = source.render.frame_map_old, source.render.frame_map_new
        scene.unit_settings.scale_length = source.unit_settings.scale_length
        scene.view_settings.view_transform = "Standard"
        if lighting.engine == "CYCLES":
            scene.cycles.samples = lighting.samples
        elif lighting.engine == "EEVEE":
            scene.eevee.taa_render_samples = lighting.samples
        else:
            scene.display.shading.light = "STUDIO"
            if lighting.studio_light in bpy.context.preferences.studio_lights:
                scene.display.shading.studio_light = lighting.studio_light
            scene.display.shading.color_type = _workbench_colour(objects)
            scene.display.render_aa = "8"


def camera_distance(extent: Extent, elevation: float) -> float:
    """From where the camera sees the whole cylinder from every side, with a margin. elevation: radians."""
    radius, height = extent.radius, extent.half_height
    distance = radius / math.sin(FIELD_OF_VIEW / 2)  # its sides
    for side in (-radius, radius):  # its rims, where they are farthest from and nearest to the camera
        for up in (-height, height):
            ahead = side * math.cos(elevation) + up * math.sin(elevation)
            aside = abs(up * math.cos(elevation) - side * math.sin(elevation))
            distance = max(distance, ahead + aside / math.tan(FIELD_OF_VIEW / 2))
    return 1.05 * distance


def _workbench_colour(objects: Sequence[bpy.types.Object]) -> str:
    looks = [trace_material(slot.material) for obj in objects for slot in obj.material_slots]
    if any(look.image for look in looks):
        return "TEXTURE"
    return "VERTEX" if any(look.colour_attribute is not None for look in looks) else "MATERIAL"
