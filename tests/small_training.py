"""Training runs to try: a tiny motion transformer, and a tiny release in the published training layout."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from motion324.reconstructors.motion_transformer.config import ImageEncoderConfig, ModelConfig
from motion324.training.shared.config import (
    CheckpointsConfig,
    DataConfig,
    LogConfig,
    OptimiserConfig,
    ReleaseConfig,
    StepsConfig,
    TrainingConfig,
    ValidationConfig,
)
from motion324.training.shared.config_keys import as_toml

TINY = ModelConfig(
    width=24,
    head_width=8,
    mlp_width=48,
    latent_tokens=3,
    special_tokens=2,
    surface_layers=1,
    layer_pairs=1,
    frequencies=4,
    image=ImageEncoderConfig(width=24, depth=1, heads=3, mlp_width=48, patch=2, grid=4),
)
FRAMES, SIDE = 10, 40
LONGEST = 120  # seconds for a run in several processes


def tiny_config(release: Path, out: Path, **steps) -> TrainingConfig:
    """Trains on the release, in this process, without TensorBoard. steps: keys of [steps]."""
    return TrainingConfig(
        out=str(out),
        device="cpu",
        data=DataConfig(frames=3, surface_points=40, query_points=30, image_size=32),
        release=ReleaseConfig(path=str(release), validation_list="validation.txt", cameras=2, workers=0),
        optimiser=OptimiserConfig(rate=2e-3, warm_up=2),
        steps=replace(StepsConfig(count=4, batch=4, batch_per_gpu=2, precision="float32"), **steps),
        validation=ValidationConfig(every=0, samples=3),
        checkpoints=CheckpointsConfig(every=100),
        log=LogConfig(every=1, tensorboard=False),
        transformer=TINY,
    )


def write_training_release(root: Path, clips: int = 4, black: tuple[int, ...] = ()) -> list[str]:
    """Boxes that grow and slide, seen by two cameras, with lists train.txt and validation.txt. black: such frames."""
    names = [f"box{number}" for number in range(clips)]
    for number, name in enumerate(names):
        _write_clip(root, name, number, black)
    (root / "train.txt").write_text("".join(f"{name}\n" for name in names))
    (root / "validation.txt").write_text(f"{names[0]}\n{names[-1]}\n")
    return names


def _write_clip(root: Path, name: str, number: int, black: tuple[int, ...]) -> None:
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 2) for z in (0, 3)], np.float32)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))], np.int32)
    folder = root / "pcds" / f"{name}_pointclouds"
    folder.mkdir(parents=True)
    np.save(folder / "faces.npy", faces)
    draws = np.random.default_rng(number)
    np.savez(
        folder / "uv_face_texture.npz",
        face_uvs=draws.random((len(faces), 3, 2), np.float32),
        texture_array=draws.integers(0, 256, (16, 16, 3), dtype=np.uint8),
    )
    for camera in range(2):
        (root / "images" / f"{name}_images" / f"camera_{camera}").mkdir(parents=True)
    for frame in range(FRAMES):
        moved = corners * (1 + 0.05 * frame) + np.float32([0.2 * frame * number, 0, 0])
        np.save(folder / f"frame_{frame:04d}.npy", moved.astype(np.float32))
        for camera in range(2):
            picture = np.zeros((SIDE, SIDE, 3), np.uint8)
            if frame not in black:
                picture[10 : 20 + frame, 5 + camera : 15 + 2 * frame] = (40 + 20 * frame, 60 * number, 200)
            path = root / "images" / f"{name}_images" / f"camera_{camera}" / f"frame_{frame:04d}.png"
            cv2.imwrite(str(path), picture)


def train_in_processes(config: TrainingConfig, folder: Path, count: int) -> None:
    """Runs `motion324 train` in `count` processes that share the work, as torchrun starts them."""
    path = folder / f"config{count}.toml"
    path.write_text(as_toml(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    common["OMP_NUM_THREADS"] = "1"
    told = [folder / f"told{rank}.txt" for rank in range(count)]
    running = []
    try:
        for rank in range(count):
            with told[rank].open("w") as errors:
                command = [sys.executable, "-m", "motion324", "train", str(path)]
                own = {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
                running.append(subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=errors))
        deadline = time.monotonic() + LONGEST
        while (codes := [process.poll() for process in running]).count(0) < count and time.monotonic() < deadline:
            if any(codes):  # as torchrun does: the others would wait for the one that failed
                break
            time.sleep(0.05)
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert codes == [0] * count, f"exit codes {codes}\n" + "\n".join(file.read_text() for file in told)


def log_lines(out: Path, kind: str) -> list[dict]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]
