"""Keeps the takes of an object with it: what jobs have found, as they found it, and what was changed of that.

A short take lies in the .blend, in a custom property of the object, so that undo, copies and renaming take it along. A
long one is a file beside the .blend, or, until that has been saved, one of this session's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
import uuid
import zipfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.core.motion.tweak import Tweak
from motion324.core.reference_mesh import Normalisation
from motion324.core.view import View

from .animation import Animation, Target
from .timing import Timing

TAKES = "motion324_takes"  # a custom property: JSON, a list of what is known of each
DATA = "motion324_take_"  # and the beginning of the name of each that lies in the .blend
LONG = 16 << 20  # bytes of positions, from which on a take is a file
STEP_BYTES = 4 << 20  # of a take that are written at once
_ARRAYS = ("positions", "frame_numbers", "camera_to_first", "own_pose", "matrix", "doubt")

_elsewhere: dict[str, Path] = {}  # where files of takes were seen or written in this session, by their names


@dataclass(frozen=True)
class Take:
    """identifier: by which it is known on its object. file: its name where it lies beside the .blend, else "".

    shown: whether it is the one that was kept last. match: how well it lies on its video over all of its frames, 0..1;
    0 where that is not known.
    """

    identifier: str
    name: str
    file: str
    shown: bool
    tweak: Tweak
    match: float = 0.0


def takes_of(obj: bpy.types.Object | None) -> list[Take]:
    """The oldest first."""
    try:
        listed = json.loads(obj[TAKES])
        return [Take(**{**values, "tweak": Tweak(**values["tweak"])}) for values in listed]
    except (KeyError, TypeError, ValueError):
        return []


def shown_take(obj: bpy.types.Object | None) -> Take | None:
    """The one that was kept last."""
    return next((take for take in takes_of(obj) if take.shown), None)


@dataclass(frozen=True)
class Written:
    """A take that lies ready for `store`. file: its name, "" where `data` has it, or where it was there before."""

    identifier: str
    file: str = ""
    data: bytes = b""


def write_in_steps(
    obj: bpy.types.Object, animation: Animation, total: int
) -> Generator[tuple[int, int], None, Written | None]:
    """Writes what `store` puts on the object, before anything of that changes; yields (0, total) between its parts.

    Returns None where it is long and there is no place for its file. Closing it leaves no file.
    Raises Motion324Error("disk-full" or "cannot-write").
    """
    base = animation.base or animation
    known = next((take for take in takes_of(obj) if take.identifier == animation.take), None)
    if known is not None:
        return Written(known.identifier)
    identifier = uuid.uuid4().hex[:12]
    if base.positions.nbytes < LONG:
        data = io.BytesIO()
        for _ in _npz_in_steps(data, _arrays_of(base)):
            yield 0, total
        return Written(identifier, data=data.getvalue())
    if not bpy.data.filepath and bpy.app.background:
        return None  # nobody is there to save it, and what is written now would be left over
    name = f"{bpy.path.clean_name(obj.name)}.{identifier}.npz"
    place = _folder() / name
    with explained_write_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(place) as aside, aside.open("wb") as file:
        for _ in _npz_in_steps(file, _arrays_of(base)):
            yield 0, total
    _elsewhere[name] = place
    return Written(identifier, file=name)


def write_all_in_steps(animations: Sequence[Animation]) -> Generator[tuple[int, int], None, list[Written | None]]:
    """Of several objects, all or none; else as `write_in_steps`."""
    all_written: list[Written | None] = []
    try:
        for animation in animations:
            all_written.append((yield from write_in_steps(animation.target.get(), animation, len(animations))))
    except BaseException:
        throw_away(all_written)
        raise
    return all_written


def throw_away(all_written: Sequence[Written | None]) -> None:
    """Takes the files away of takes that are not going to be stored."""
    for written in all_written:
        if written is not None and written.file:
            with contextlib.suppress(OSError):
                _elsewhere.pop(written.file).unlink(missing_ok=True)


def store(obj: bpy.types.Object, animation: Animation, written: Written | None) -> None:
    """Puts the take in the place of the shown one, or beside it where it is one of the object's others, or where the
    scene says that takes are added. written: of `write_in_steps`; nothing is done where that found no place for it.
    """
    takes, base = takes_of(obj), animation.base or animation
    settings = getattr(bpy.context.scene, "motion324", None)  # not there in a batch, which registers nothing
    is_known = written is not None and any(take.identifier == written.identifier for take in takes)
    if not is_known and not (settings is not None and settings.add_take):
        for take in [each for each in takes if each.shown]:
            _drop(obj, take)
            takes.remove(take)
    if written is None:
        _note(obj, takes)
        return
    if written.data:
        obj[DATA + written.identifier] = written.data
    file = next((take.file for take in takes if take.identifier == written.identifier), written.file)
    name = _free_name(
        animation.name or obj.name, [each.name for each in takes if each.identifier != written.identifier]
    )
    match = sum(base.overlaps) / len(base.overlaps) if base.overlaps else 0.0
    now = Take(written.identifier, name, file, True, animation.tweak, match)
    others = [dataclasses.replace(each, shown=False) for each in takes]
    listed = [now if each.identifier == written.identifier else each for each in others]
    _note(obj, listed if is_known else [*others, now])


def read(obj: bpy.types.Object, take: Take) -> Animation:
    """As the job found it; `Animation.changed(take.tweak)` is what was kept. Raises Motion324Error("take-gone")."""
    return reader(obj, take)()


def reader(obj: bpy.types.Object, take: Take) -> Callable[[], Animation]:
    """What reads the take, see `read`: on any thread, since all that Blender knows is asked here."""
    target, place = Target.of(obj), _path(take.file) if take.file else None
    data = bytes(obj.get(DATA + take.identifier, b""))

    def found() -> Animation:
        try:
            with np.load(io.BytesIO(data) if place is None else place, allow_pickle=False) as file:
                meta = json.loads(file["meta"].tobytes())
                arrays = {name: file[name] for name in _ARRAYS if name in file}
        except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise _gone(target.name, take, isinstance(error, FileNotFoundError)) from error
        view, space = meta["view"], meta["space"]
        return Animation(
            target=target,
            topology=meta["topology"],
            timing=Timing(*meta["timing"]),
            fps=meta["fps"],
            view=View(np.array(view[0]), np.array(view[1]), view[2], tuple(view[3])) if view else None,
            report=meta["report"],
            space=Normalisation(np.array(space[0]), *space[1:]) if space else None,
            video=Path(meta["video"]) if meta["video"] else None,
            name=take.name,
            take=take.identifier,
            **arrays,
        )

    return found


def _gone(obj_name: str, take: Take, is_missing: bool) -> Motion324Error:
    where = "the .blend does not have it"
    if take.file:
        where = f"its file '{take.file}' is {'not beside the .blend' if is_missing else 'damaged'}"
    sentence = f"The take '{take.name}' of '{obj_name}' cannot be read: {where}."
    hint = "Put the file back, or animate again." if take.file else "Animate again."
    return Motion324Error("take-gone", sentence, hint, EXIT_BAD_MESH)


def remove(obj: bpy.types.Object, identifier: str = "") -> None:
    """Forgets one take, or all of them; files stay, for undo."""
    takes = takes_of(obj)
    for take in [each for each in takes if identifier in ("", each.identifier)]:
        _drop(obj, take)
        takes.remove(take)
    _note(obj, takes)


def bring_files() -> None:
    """To be called when the .blend was saved: copies files of takes beside it that lie elsewhere, as after Save As."""
    for obj in bpy.data.objects:
        for take in takes_of(obj):
            place = _folder() / take.file if take.file else None
            if place is None or place.exists() or take.file not in _elsewhere:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with written_aside(place) as aside:
                shutil.copyfile(_elsewhere[take.file], aside)
            _elsewhere[take.file] = place


def _arrays_of(base: Animation) -> dict[str, np.ndarray]:
    """All of a take that is not known from its note."""
    view, space = base.view, base.space
    meta: dict[str, Any] = {
        "topology": base.topology,
        "timing": [base.timing.start, base.timing.step, base.timing.count],
        "fps": base.fps,
        "view": view and [np.asarray(view.rotation).tolist(), np.asarray(view.translation).tolist(), float(view.focal)],
        "space": space and [np.asarray(space.centre).tolist(), float(space.scale), space.up],
        "video": str(base.video) if base.video else "",
        "report": base.report,
    }
    if view:
        meta["view"].append(list(view.centre))
    arrays = {name: getattr(base, name) for name in _ARRAYS if getattr(base, name) is not None}
    return {**arrays, "meta": np.frombuffer(json.dumps(meta, default=str).encode(), np.uint8)}


def _npz_in_steps(file: IO[bytes], arrays: Mapping[str, np.ndarray]) -> Iterator[None]:
    """What np.savez writes, a part at a time: Blender's window lives on between them."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            at_once = max(1, STEP_BYTES // max(array[:1].nbytes, 1))
            header = {**np.lib.format.header_data_from_array_1_0(array), "fortran_order": False}
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array_header_1_0(entry, header)
                for first in range(0, len(array), at_once):
                    entry.write(array[first : first + at_once].tobytes())
                    if array.nbytes > STEP_BYTES:
                        yield


def _folder() -> Path:
    """Beside the .blend, as point caches; else in this session's."""
    if not bpy.data.filepath:
        return Path(bpy.app.tempdir) / "motion324_takes"
    blend = Path(bpy.data.filepath)
    return blend.parent / f"{blend.stem}_motion324"


def _path(file: str) -> Path:
    place = _folder() / file
    if place.exists():
        _elsewhere[file] = place
    return place if place.exists() else _elsewhere.get(file, place)


def _drop(obj: bpy.types.Object, take: Take) -> None:
    if DATA + take.identifier in obj:
        del obj[DATA + take.identifier]


def _note(obj: bpy.types.Object, takes: list[Take]) -> None:
    if takes:
        obj[TAKES] = json.dumps([dataclasses.asdict(take) for take in takes])
    elif TAKES in obj:
        del obj[TAKES]


def _free_name(name: str, taken: list[str]) -> str:
    names = (name, *(f"{name} {number}" for number in range(2, len(taken) + 3)))
    return next(each for each in names if each not in taken)
