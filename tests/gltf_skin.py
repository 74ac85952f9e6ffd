"""Reads a skinned, animated .glb by itself, without Blender: where its vertices are at a time.

By the glTF 2.0 specification: a vertex is the weighted sum of joint matrices (global transform times inverse bind
matrix) times its position; rotations are interpolated spherically, the rest linearly.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_KINDS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}


class SkinnedGlb:
    """joints: names. times: of the first animation's keys, in seconds."""

    def __init__(self, path: Path) -> None:
        data = Path(path).read_bytes()
        (length,) = struct.unpack_from("<I", data, 12)
        self.header = json.loads(data[20 : 20 + length])
        self._binary = data[28 + length :]
        (skin,) = self.header["skins"]
        self._skin = skin
        self.joints = [self.header["nodes"][node]["name"] for node in skin["joints"]]
        self._inverse = self._array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1).astype(float)
        (animation,) = self.header["animations"]
        self._channels = [
            (each["target"]["node"], each["target"]["path"], animation["samplers"][each["sampler"]])
            for each in animation["channels"]
        ]
        self.times = np.unique(np.concatenate([self._array(sampler["input"]) for *_, sampler in self._channels]))
        self.moved = {(self.header["nodes"][node]["name"], path) for node, path, _ in self._channels}

    def positions(self, time: float) -> np.ndarray:
        """(N, 3), Y up."""
        matrices = self._global(time)
        joints = np.array([matrices[node] for node in self._skin["joints"]]) @ self._inverse
        found = []
        for node in self.header["nodes"]:
            if "skin" in node:
                for part in self.header["meshes"][node["mesh"]]["primitives"]:
                    found.append(self._skinned(part["attributes"], joints))
        return np.concatenate(found)

    def influences(self) -> int:
        """How many weights a vertex has at most."""
        parts = [part["attributes"] for mesh in self.header["meshes"] for part in mesh["primitives"]]
        sets = max(sum(name.startswith("WEIGHTS_") for name in part) for part in parts)
        weights = [np.concatenate([self._array(part[f"WEIGHTS_{k}"]) for k in range(sets)], axis=1) for part in parts]
        return max(int((each > 0).sum(axis=1).max()) for each in weights)

    def _skinned(self, attributes: dict[str, int], joints: np.ndarray) -> np.ndarray:
        places = self._array(attributes["POSITION"]).astype(float)
        moved = np.zeros_like(places)
        for k in range(sum(name.startswith("WEIGHTS_") for name in attributes)):
            own, weights = self._array(attributes[f"JOINTS_{k}"]), self._array(attributes[f"WEIGHTS_{k}"])
            for joint, weight in zip(own.T, weights.T, strict=True):
                there = np.einsum("nab,nb->na", joints[joint][:, :3], np.c_[places, np.ones(len(places))])
                moved += weight[:, None] * there
        return moved

    def _global(self, time: float) -> list[np.ndarray]:
        nodes = self.header["nodes"]
        local = [self._local(k, time) for k in range(len(nodes))]
        world: list[np.ndarray | None] = [None] * len(nodes)

        def place(node: int, parent: np.ndarray) -> None:
            world[node] = parent @ local[node]
            for child in nodes[node].get("children", ()):
                place(child, world[node])

        for root in self.header["scenes"][self.header.get("scene", 0)]["nodes"]:
            place(root, np.eye(4))
        return world

    def _local(self, node: int, time: float) -> np.ndarray:
        values = {name: self.header["nodes"][node].get(name) for name in ("translation", "rotation", "scale")}
        if "matrix" in self.header["nodes"][node]:
            return np.array(self.header["nodes"][node]["matrix"], float).reshape(4, 4).T
        for target, path, sampler in self._channels:
            if target == node:
                values[path] = self._sampled(sampler, time, path)
        x, y, z, w = (
            values["rotation"] or (0, 0, 0, 1) if not isinstance(values["rotation"], np.ndarray) else values["rotation"]
        )
        matrix = np.eye(4)
        matrix[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
        matrix[:3, :3] *= np.array(values["scale"] if values["scale"] is not None else (1, 1, 1))
        matrix[:3, 3] = values["translation"] if values["translation"] is not None else (0, 0, 0)
        return matrix

    def _sampled(self, sampler: dict, time: float, path: str) -> np.ndarray:
        times, values = self._array(sampler["input"]), self._array(sampler["output"]).astype(float)
        after = int(np.clip(np.searchsorted(times, time), 1, max(len(times) - 1, 1)))
        if len(times) == 1 or sampler.get("interpolation") == "STEP":
            return values[min(after, len(values) - 1) if len(times) > 1 and time >= times[after] else max(after - 1, 0)]
        share = float(np.clip((time - times[after - 1]) / (times[after] - times[after - 1]), 0, 1))
        one, two = values[after - 1], values[after]
        if path == "rotation":
            two = two if one @ two >= 0 else -two
            mixed = (1 - share) * one + share * two  # as good as spherical between keys of neighbouring frames
            return mixed / np.linalg.norm(mixed)
        return (1 - share) * one + share * two

    def _array(self, index: int) -> np.ndarray:
        accessor = self.header["accessors"][index]
        view = self.header["bufferViews"][accessor["bufferView"]]
        kind, width = _KINDS[accessor["componentType"]], _WIDTHS[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        values = np.frombuffer(self._binary, kind, accessor["count"] * width, start)
        return values.reshape(accessor["count"], width) if width > 1 else values
