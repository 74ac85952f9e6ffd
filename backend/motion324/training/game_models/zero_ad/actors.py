"""Reads actors of 0 A.D. (XML): which mesh, textures, animations and things that hang on it make one model.

An actor has groups of variants; one variant of each group is taken, and what a later group says counts.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error

ART = "art"
NOT_SHOWN = ("projectile", "loaded-", "garrison", "ammo")  # what points begin with whose things appear at times only


@dataclass
class Actor:
    """mesh, texture: names below the game's art, "" where there is none. animations: (name, file, speed), in order.
    props: (the point that it hangs on, the actor's name)."""

    name: str
    mesh: str = ""
    texture: str = ""
    material: str = ""
    colour: tuple[int, int, int] | None = None
    animations: list[tuple[str, str, float]] = field(default_factory=list)
    props: list[tuple[str, str]] = field(default_factory=list)


class Archive:
    """The game's files, in public.zip of its package."""

    def __init__(self, folder: Path) -> None:
        found = sorted(folder.rglob("public.zip"))
        if not found:
            raise Motion324Error(
                "game-data-missing",
                f"The folder '{folder}' holds no public.zip of 0 A.D.",
                "Unpack Debian's package 0ad-data there (dpkg -x).",
                EXIT_BAD_MESH,
            )
        self.zip = zipfile.ZipFile(found[0])
        self.names = frozenset(self.zip.namelist())

    def read(self, *names: str) -> bytes | None:
        """The first of the files that is there."""
        return next((self.zip.read(name) for name in names if name in self.names), None)

    def mesh(self, name: str) -> bytes | None:
        return self.read(f"{ART}/meshes/{name}.cached.pmd", f"{ART}/meshes/{name}")

    def animation(self, name: str) -> bytes | None:
        return self.read(f"{ART}/animation/{name}.cached.psa", f"{ART}/animation/{name}")

    def texture(self, name: str) -> bytes | None:
        return self.read(f"{ART}/textures/skins/{name}.cached.dds", f"{ART}/textures/skins/{name}")

    def xml(self, name: str) -> ElementTree.Element | None:
        data = self.read(f"{ART}/{name}")
        try:
            return None if data is None else ElementTree.fromstring(data)
        except ElementTree.ParseError:
            return None


def read_actor(archive: Archive, name: str, choose: np.random.Generator) -> Actor | None:
    """name: below art/actors/. None where there is no such actor."""
    root = archive.xml(f"actors/{name}")
    if root is not None and root.tag == "qualitylevels":
        root = _finest(archive, root)
    if root is None:
        return None
    actor = Actor(name, material=(root.findtext("material") or "").strip())
    later: list[tuple[str, str, float]] = []
    for group in root.findall("group"):
        variants = group.findall("variant")
        if not variants:
            continue
        often = np.array([float(variant.get("frequency") or _file_frequency(archive, variant)) for variant in variants])
        taken = choose.choice(len(variants), p=often / often.sum()) if often.sum() > 0 else 0
        _apply(archive, actor, variants[taken])
        for index, variant in enumerate(variants):
            if index != taken and often[index] == 0:  # is shown while it does what the variant is called
                shown = Actor(name)
                _apply(archive, shown, variant)
                later += shown.animations
    names = {animation[1] for animation in actor.animations}
    actor.animations += [animation for animation in later if animation[1] not in names]
    return actor


def _finest(archive: Archive, root: ElementTree.Element) -> ElementTree.Element | None:
    """The actor of an actor's several levels of quality that has most details, which stands last."""
    levels = root.findall("actor")
    if not levels or levels[-1].get("inline") is not None:
        return root.find("inline")
    file = levels[-1].get("file")
    return archive.xml(f"actors/{file}") if file else levels[-1]


def _file_frequency(archive: Archive, variant: ElementTree.Element) -> float:
    file = variant.get("file")
    root = archive.xml(f"variants/{file}") if file else None
    return 0.0 if root is None else float(root.get("frequency") or 0)


def _apply(archive: Archive, actor: Actor, variant: ElementTree.Element, depth: int = 0) -> None:
    file = variant.get("file")
    base = archive.xml(f"variants/{file}") if file and depth < 8 else None
    if base is not None:
        _apply(archive, actor, base, depth + 1)
    actor.mesh = (variant.findtext("mesh") or actor.mesh).strip()
    for texture in variant.iterfind("textures/texture"):
        if texture.get("name", "").lower() == "basetex":
            actor.texture = texture.get("file", "")
    actor.texture = (variant.findtext("texture") or actor.texture).strip()
    if (colour := variant.findtext("color")) and len(colour.split()) == 3:
        red, green, blue = (int(value) for value in colour.split())
        actor.colour = red, green, blue
    new = [
        (one.get("name", "").lower(), one.get("file", ""), float(one.get("speed") or 100))
        for one in variant.iterfind("animations/animation")
        if one.get("file")
    ]
    names = {name for name, _, _ in new}
    actor.animations = [animation for animation in actor.animations if animation[0] not in names] + new
    hung = [(prop.get("attachpoint", "root"), prop.get("actor") or "") for prop in variant.iterfind("props/prop")]
    replaced = {point for point, _ in hung}
    actor.props = [prop for prop in actor.props if prop[0] not in replaced]
    actor.props += [(point, name) for point, name in hung if name and not point.startswith(NOT_SHOWN)]
