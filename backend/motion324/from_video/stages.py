"""Keeps the stages of a long way: each has products in a folder and a manifest that says what they were made from.

A stage whose manifest has the same key, and whose products are all there, is not done again. Products appear whole: a
stage writes into a folder aside, and only what it has finished takes the place of what was there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion324 import __version__
from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.json_text import read_json
from motion324.core.files.owned_folder import UNFINISHED, OwnedFolder, remove_abandoned
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.core.view import View

MANIFESTS = "stages"

Make = Callable[[Path], dict[str, Any]]  # writes a stage's products into the folder that it is given -> its result


@dataclass(frozen=True)
class Stage:
    """A stage that is done. key: 64 digits that change with all that its products depend on.

    result: plain JSON values that it has found out. seconds: that it took when it was done; again: whether that was
    now.
    """

    name: str
    key: str
    result: dict[str, Any]
    seconds: float
    again: bool


class StageFolder:
    """The folder of all stages' products. afresh: does every stage anew."""

    def __init__(self, root: Path, afresh: bool = False) -> None:
        """The folder itself is made for the first stage that is done."""
        self.root = root
        self._afresh = afresh
        remove_abandoned(UNFINISHED, root)

    def kept(self, name: str, inputs: dict[str, Any]) -> Stage | None:
        """The stage, where it was done from these inputs and its products are there; None where `do` would do it."""
        key, known = stage_key(name, inputs), self._manifest(name)
        if self._afresh or known.get("key") != key or not self._complete(known):
            return None
        return Stage(name, key, known["result"], known["seconds"], again=False)

    def do(self, name: str, inputs: dict[str, Any], make: Make) -> Stage:
        """The stage's products, made by `make` unless they are there.

        inputs: plain JSON values that the products depend on, the keys of the stages before among them.
        Raises what `make` raises, Motion324Error("cannot-write", "disk-full" or "folder-in-use").
        """
        kept = self.kept(name, inputs)
        if kept is not None:
            return kept
        key, known = stage_key(name, inputs), self._manifest(name)
        began = time.perf_counter()
        with explained_write_errors(self.root):
            (self.root / MANIFESTS).mkdir(parents=True, exist_ok=True)
            owned = OwnedFolder(UNFINISHED, self.root)
        try:
            staging = owned.path
            result = make(staging)
            seconds = round(time.perf_counter() - began, 3)
            made = {product.name: _size(product) for product in sorted(staging.iterdir())}
            self._refuse_what_is_not_ours(made, known)
            manifest = {
                "stage": name,
                "key": key,
                "inputs": inputs,
                "products": made,
                "result": result,
                "seconds": seconds,
                "version": __version__,
            }
            self._replace(name, staging, manifest, known)
        finally:
            owned.remove()
        return Stage(name, key, result, seconds, again=True)

    def drop(self, name: str) -> None:
        """Removes what the stage has left, if anything. Raises Motion324Error("cannot-write")."""
        known = self._manifest(name)
        with explained_write_errors(self.root):
            for product in known.get("products", {}):
                _remove(self.root / product)
            _remove(self.root / MANIFESTS / f"{name}.json")

    def _replace(self, name: str, staging: Path, manifest: dict[str, Any], known: dict[str, Any]) -> None:
        """From now to the last line the manifest names old and new products, and no key: they count as unfinished."""
        products, before = manifest["products"], known.get("products", {})
        self._write(name, {**manifest, "key": "", "products": {**before, **products}})
        with explained_write_errors(self.root):
            for product in {**before, **products}:
                _remove(self.root / product)
            for product in products:
                (staging / product).replace(self.root / product)
        self._write(name, manifest)

    def _write(self, name: str, manifest: dict[str, Any]) -> None:
        with written_aside(self.root / MANIFESTS / f"{name}.json") as aside:
            aside.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def _manifest(self, name: str) -> dict[str, Any]:
        """Empty where there is none that can be used."""
        try:
            manifest = read_json((self.root / MANIFESTS / f"{name}.json").read_text(encoding="utf-8"))
            names = list(manifest["products"])
            plain = all(Path(product).name == product for product in names)
            usable = isinstance(manifest["result"], dict) and isinstance(manifest["seconds"], float | int) and plain
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return manifest if usable else {}

    def _complete(self, manifest: dict[str, Any]) -> bool:
        return all(
            (self.root / product).exists() and _size(self.root / product) == size
            for product, size in manifest["products"].items()
        )

    def _refuse_what_is_not_ours(self, made: dict[str, Any], known: dict[str, Any]) -> None:
        foreign = [name for name in made if (self.root / name).exists() and name not in known.get("products", {})]
        if foreign:
            raise Motion324Error(
                "folder-in-use",
                f"'{self.root / foreign[0]}' is there already, and was not made by this command.",
                "Choose another folder with -o, or move it away.",
                EXIT_CANNOT_WRITE,
            )


def stage_key(name: str, inputs: dict[str, Any]) -> str:
    """Of the stage that is made from these inputs, before or after it is done."""
    text = json.dumps([name, inputs, __version__], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _size(product: Path) -> dict[str, int]:
    files = list(product.iterdir()) if product.is_dir() else [product]
    return {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}


def _remove(product: Path) -> None:
    if product.is_dir():
        shutil.rmtree(product)
    else:
        with contextlib.suppress(FileNotFoundError):
            product.unlink()


def plain_view(view: View | None) -> dict[str, Any] | None:
    """JSON values, for view_of; None stays None."""
    if view is None:
        return None
    return {
        "rotation": np.asarray(view.rotation, float).tolist(),
        "translation": np.asarray(view.translation, float).tolist(),
        "focal": float(view.focal),
        "centre": [float(value) for value in view.centre],
    }


def view_of(values: dict[str, Any]) -> View:
    """The camera that plain_view has told."""
    centre = values["centre"]
    rotation, translation = np.array(values["rotation"]), np.array(values["translation"])
    return View(rotation, translation, values["focal"], (centre[0], centre[1]))
