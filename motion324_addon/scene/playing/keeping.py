"""Makes animations part of the .blend, and takes them off an object again, also when undo does not reach back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import bpy

from motion324.core.inside_blender import nla
from motion324.core.jobs.job_item import ARMATURE as ARMATURE
from motion324.core.jobs.job_item import BONES as BONES
from motion324.core.jobs.job_item import POINT_CACHE, SHAPE_KEYS
from motion324.core.jobs.job_item import RIG as RIG

from ..reading import mesh_reading, modifier_stack
from ..reading.mesh_reading import check_own
from . import fcurves, kept_action, kept_bones, kept_note, point_cache, shape_keys, takes
from .animation import Animation
from .kept_note import PutBack

_KEY = re.compile(rf"{shape_keys.NAME} \d{{4,}}(\.\d+)?")


def check_can_keep(obj: bpy.types.Object, as_what: str, copy_shared: bool = False) -> None:
    """Raises what `keep_as_shape_keys` or `point_cache_paths` would raise: before a job takes its time."""
    if as_what == SHAPE_KEYS:
        if not copy_shared:
            shape_keys.check_single_user(obj)
        shape_keys.check_keys(obj)
    elif as_what == POINT_CACHE:
        point_cache.free_path(obj)


def keep_as_shape_keys(animation: Animation, copy_shared: bool = False) -> Iterator[tuple[int, int]]:
    """Bakes in steps, see `shape_keys.bake`; closing the generator leaves the object as it was.

    An animation that was kept on the object before is replaced. Shape keys and animation of others stay.
    copy_shared: gives the object a mesh of its own first, where it shares one.
    Raises Motion324Error("object-gone", "topology-changed", "mesh-shared" or "shape-keys-impossible"), and what
    `takes.write_in_steps` raises.
    """
    obj = animation.target.get()
    mesh_reading.check_topology(obj, animation.topology)
    written = yield from takes.write_in_steps(obj, animation, len(animation.positions))
    shared = obj.data
    copied, keys, way = False, None, None
    try:
        copied = copy_shared and shape_keys.make_single_user(obj)
        keys = obj.data.shape_keys
        way = nla.make_way(keys.animation_data) if keys is not None and keys.animation_data is not None else None
        put_back = PutBack(_moving_now(obj), basis=keys is None, muted=_switches_now(obj), nla=way)
        yield from shape_keys.bake(obj, animation.positions, animation.timing, kept_keys(obj))
    except BaseException:
        takes.throw_away([written])
        if keys is not None and way is not None:
            nla.put_back(keys.animation_data, way)
        if copied:
            own, obj.data = obj.data, shared
            bpy.data.meshes.remove(own)
        raise
    remove_caches(obj)
    _kept(obj, animation, put_back, written)
    kept_bones.leave([obj])
    kept_action.remove_strips(obj.data.shape_keys)
    kept_action.take(obj.data.shape_keys, kept_keys(obj), action_name(animation))


def keep_all_as_shape_keys(animations: Sequence[Animation], copy_shared: bool = False) -> Iterator[tuple[int, int]]:
    """Bakes one after another, all or none: closing the generator, or an error, leaves all objects as they were.

    Raises as `keep_as_shape_keys`.
    """
    for animation in animations:
        obj = animation.target.get()
        mesh_reading.check_topology(obj, animation.topology)
        check_can_keep(obj, SHAPE_KEYS, copy_shared)
    total = sum(len(animation.positions) for animation in animations)
    before = 0
    bakes = [keep_as_shape_keys(animation, copy_shared) for animation in animations]
    try:
        for animation, bake in zip(animations, bakes, strict=True):
            for done, count in bake:
                yield before + done, total
                if done == count:
                    break  # after its last key, where it can still be undone
            before += len(animation.positions)
        for bake in bakes:
            next(bake, None)
        kept_bones.leave([animation.target.get() for animation in animations])
    finally:
        for bake in bakes:
            bake.close()


def keep_as_point_cache(animation: Animation, folder: Path | None = None) -> Path:
    """Writes a cache file, see `point_cache.free_path`, plays it, and returns its path.

    Raises Motion324Error("object-gone", "topology-changed", "cannot-write" or "disk-full"); nothing is changed then.
    """
    paths = point_cache_paths([animation], folder)
    for _ in keep_all_as_point_caches([animation], paths):
        pass
    return paths[0]


def point_cache_paths(animations: Sequence[Animation], folder: Path | None = None) -> list[Path]:
    """Free names for the caches, see `point_cache.free_path`, and what is raised; or Motion324Error("object-gone")."""
    paths: list[Path] = []
    for animation in animations:
        paths.append(point_cache.free_path(animation.target.get(), folder, taken=paths))
    return paths


def keep_all_as_point_caches(animations: Sequence[Animation], paths: Sequence[Path]) -> Iterator[tuple[int, int]]:
    """Writes a cache file for each, in steps of (done, total), and only then plays them, in place of an animation that
    was kept before; the files of earlier caches stay.

    Closing the generator, or an error, leaves neither files nor modifiers. Raises as `keep_as_point_cache`.
    """
    objects = [animation.target.get() for animation in animations]
    for obj, animation in zip(objects, animations, strict=True):
        mesh_reading.check_own(obj)
        mesh_reading.check_topology(obj, animation.topology)
    total = sum(len(animation.positions) for animation in animations)
    before = 0
    files: list[Path] = []
    try:
        for animation, path in zip(animations, paths, strict=True):
            for done, _ in point_cache.write_in_steps(animation.positions, animation.timing, path):
                yield before + done, total
            files.append(path)
            before += len(animation.positions)
        written = yield from takes.write_all_in_steps(animations)
    except BaseException:
        for path in files:
            point_cache.remove(path)
        raise
    for obj, animation, path, take in zip(objects, animations, paths, written, strict=True):
        _remove_earlier(obj)
        point_cache.play(obj, path, animation.timing, point_cache.KEPT)
        _kept(obj, animation, PutBack(), take)


def animated_range(obj: bpy.types.Object) -> tuple[int, int]:
    """The scene's frames over which the object's kept animation runs; the scene's own range where it has none."""
    noted = obj.get(kept_note.FRAMES)
    if noted is not None and len(noted) == 2:
        return int(noted[0]), int(noted[1])
    scene = bpy.context.scene
    return scene.frame_start, scene.frame_end


def _remove_earlier(obj: bpy.types.Object) -> None:
    """What was kept before, in favour of a cache. Keys that other objects show as well stay: the cache hides them."""
    if obj.data.library is None and obj.data.users == 1:
        remove_animation(obj)
    else:
        remove_caches(obj)


def _moving_now(obj: bpy.types.Object) -> tuple[tuple[str, bool, bool], ...]:
    """Those that a bake of shape keys switches off, as they are."""
    moving = modifier_stack.moving_modifiers(obj, modifier_stack.leading_count(obj))
    replaced = [point_cache.PREVIEW, *(modifier.name for modifier in kept_caches(obj))]
    return tuple(
        (modifier.name, modifier.show_viewport, modifier.show_render)
        for modifier in moving
        if modifier.name not in replaced
    )


def _switches_now(obj: bpy.types.Object) -> tuple[str, ...]:
    """The data paths by which keys or drivers switch modifiers that a bake of shape keys switches off."""
    moving = modifier_stack.moving_modifiers(obj, modifier_stack.leading_count(obj))
    return tuple({each.data_path for each in fcurves.deciding(obj, modifier_stack.switches_of(moving))})


def _kept(obj: bpy.types.Object, animation: Animation, put_back: PutBack, written: takes.Written | None) -> None:
    point_cache.hide_preview(obj)
    kept_note.write(obj, animation, put_back, written)
    scene = bpy.context.scene
    scene.frame_end = max(scene.frame_end, animation.timing.whole_frames[1])


def is_kept(obj: bpy.types.Object) -> bool:
    """Whether an animation has been kept on the object."""
    return kept_note.FRAMES in obj


def keyed_data(obj: bpy.types.Object) -> bpy.types.ID | None:
    """The shape keys, or the armature object, whose action has the kept animation; None where no action has it."""
    armature = bpy.data.objects.get(kept_note.read_put_back(obj).armature or kept_note.read_put_back(obj).made_armature)
    keyed = armature if armature is not None else (obj.data.shape_keys if kept_keys(obj) else None)
    animation = keyed.animation_data if is_kept(obj) and keyed is not None else None
    return keyed if animation is not None and animation.action is not None else None


def action_name(animation: Animation) -> str:
    """Of a kept animation's action: after the object, and the video that it follows."""
    name = animation.target.name if animation.target.find() is None else animation.target.find().name
    return f"{name} {animation.video.stem}" if animation.video is not None else f"{name} {shape_keys.NAME}"


def is_own_key(key: bpy.types.ShapeKey) -> bool:
    """Whether a bake has made the shape key."""
    return _KEY.fullmatch(key.name) is not None


def kept_keys(obj: bpy.types.Object) -> tuple[str, ...]:
    """The names of the shape keys of a kept animation.

    Their names tell, since what the object knows about it may be lost: by an export that was imported again, or by
    another object that was given the mesh.
    """
    keys = obj.data.shape_keys
    return tuple(key.name for key in keys.key_blocks[1:] if is_own_key(key)) if keys else ()


def kept_caches(obj: bpy.types.Object) -> list[bpy.types.Modifier]:
    """The modifiers that play the cache of a kept animation; their names tell, as in `kept_keys`."""
    caches = [each for each in obj.modifiers if each.type == "MESH_CACHE"]
    return [each for each in caches if each.name.partition(".")[0] == point_cache.KEPT]


def remove_caches(obj: bpy.types.Object) -> None:
    """Removes what plays a kept animation; the files stay."""
    for modifier in kept_caches(obj):
        obj.modifiers.remove(modifier)


def remove_animation(obj: bpy.types.Object) -> tuple[str, ...]:
    """Removes the shape keys and caches of kept animations and switches the modifiers back on that they replaced.

    Other shape keys, their animation and all other modifiers stay as they are, and so do cache files. Returns the names
    of the modifiers that were switched on. Raises Motion324Error("linked-object").
    """
    check_own(obj)
    put_back = kept_note.read_put_back(obj)
    remove_caches(obj)
    _remove_keys(obj, with_basis=put_back.basis)
    kept_bones.remove(obj, put_back)
    keys = obj.data.shape_keys
    if put_back.nla and keys is not None and keys.animation_data is not None:
        nla.put_back(keys.animation_data, put_back.nla)
    restored = []
    for name, viewport, render in put_back.modifiers:
        switched_off = obj.modifiers.get(name)
        if switched_off is not None:
            switched_off.show_viewport, switched_off.show_render = viewport, render
            restored.append(name)
    fcurves.let_decide(obj, put_back.muted)
    kept_note.erase(obj)
    return tuple(restored)


def _remove_keys(obj: bpy.types.Object, with_basis: bool) -> None:
    keys = obj.data.shape_keys
    if keys is None:
        return
    kept_action.remove_strips(keys)
    shape_keys.remove_keys(obj, kept_keys(obj))
    if with_basis and len(keys.key_blocks) == 1:
        shape_keys.clear_keys(obj)
