"""How fast the motion transformer trains, and whether it waits for its data. Prints one table in Markdown.

    python benchmarks/training.py --rigs DIR [--gpus 1,2,4] [--seconds 8] [--small] [--compiled] [--attention cudnn]

The published model at full size with random weights: 12 frames, 4,096 surface and 4,096 query points, the image encoder
frozen, bfloat16; the samples that a GPU takes at once as the trainer chooses them by its memory; on 1, 2, 4, ... GPUs.
Data: "synthetic" from the rigs in DIR, made on the same GPU; "release" from a release that is made on the fly, read by
processes from JPEG files in the page cache. One GPU takes about a minute and a half. Columns:
    samples/s   while training, and of one GPU; a sample is a clip of 12 frames
    waiting     share of the time in which training waits for its next batch
    data alone  samples/s that the data would give if nothing were trained
--small: a small model, to try this on a CPU.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from training_release import make_release

import motion324
from motion324.training.clips.release_loader import worker_count
from motion324.training.shared.config import TrainingConfig
from motion324.training.shared.config_keys import read_config
from motion324.training.shared.processes import Processes, joined_processes
from motion324.training.transformer.trainer import Trainer
from motion324.training.transformer.training_run import build_trainer

SAMPLES_OF_A_STEP = 64  # for each GPU
CLIPS, FRAMES, CAMERAS = 24, 48, 3
WARM_STEPS = 2
ALONE_SECONDS = 3.0  # that the data are measured alone, and at most that what was made before is used up
PATIENCE = 30.0  # seconds, until a process is ended that does not end
PREFETCHED = 3  # synthetic batches that are made ahead
SMALL = Path(motion324.__file__).parent / "training" / "transformer" / "configs" / "small.toml"
HEADER = (
    "| GPUs | data | samples at once | samples/s | of one GPU | waiting | data alone, samples/s | GPU memory |\n"
    "|---:|---|---:|---:|---:|---:|---:|---:|"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rigs", type=Path, required=True, help="folder of rigged models (.npz)")
    parser.add_argument("--gpus", help="numbers of GPUs, with commas between them; default: 1, 2, 4, ... of those here")
    parser.add_argument("--seconds", type=float, default=8.0, help="that each case is measured for, at least")
    parser.add_argument("--small", action="store_true", help="a small model, to try this on a CPU")
    parser.add_argument("--compiled", action="store_true", help="compile the blocks, which takes minutes more")
    parser.add_argument("--attention", default="auto", help="kernel of the attention")
    parser.add_argument("--release", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.release is not None:
        measure_here(options)
        return 0
    counts = [int(text) for text in options.gpus.split(",")] if options.gpus else _powers(torch.cuda.device_count())
    print(f"PyTorch {torch.__version__}, {_device()}, {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        clips = 4 if options.small else CLIPS
        make_release(Path(folder), clips, FRAMES, CAMERAS, os.cpu_count() or 1)
        print(f"{clips} clips made in {time.monotonic() - started:.1f} s\n\n{HEADER}", flush=True)
        return max(_spawn(count, Path(folder)) for count in counts)


def measure_here(options: argparse.Namespace) -> None:
    """One process of several: measures both kinds of data; the first prints a line of the table for each."""
    with joined_processes("auto") as processes:
        for kind in ("synthetic", "release"):
            _measure_kind(options, kind, processes)
            if processes.device.type == "cuda":
                torch.cuda.empty_cache()


def _measure_kind(options: argparse.Namespace, kind: str, processes: Processes) -> None:
    with tempfile.TemporaryDirectory() as out:
        trainer = build_trainer(_config(options, kind, processes.count, Path(out)), processes)
        try:
            row = _measured(trainer, options.seconds)
        finally:
            trainer.source.close()
            trainer.log.close()
    if processes.is_first:
        print(_line(trainer, row), flush=True)


def _measured(trainer: Trainer, seconds: float) -> dict[str, float]:
    for _ in range(WARM_STEPS):
        trainer.step(False)
    steps, waited, started = 0, trainer.source.waited, time.perf_counter()
    while trainer.processes.share(time.perf_counter() - started) < seconds or steps < 2:
        trainer.step(False)
        steps += 1
    elapsed = time.perf_counter() - started
    waiting = (trainer.source.waited - waited) / elapsed
    on_cuda = trainer.processes.device.type == "cuda"
    return {
        "samples": steps * trainer.shares.batch / elapsed,
        "waiting": trainer.processes.totals([waiting])[0] / trainer.processes.count,
        "alone": _data_alone(trainer),
        "memory": torch.cuda.max_memory_reserved() / 1e9 if on_cuda else 0.0,
    }


def _data_alone(trainer: Trainer) -> float:
    """Samples a second of all processes, after what was made ahead is used up."""
    at_once, source = trainer.shares.at_once, trainer.source
    release = trainer.config.release
    read_ahead = worker_count(release, trainer.processes.count) * release.ahead
    ahead = read_ahead if trainer.config.data.kind == "release" else PREFETCHED
    began = time.perf_counter()
    for _ in range(ahead):
        source.next()
        if time.perf_counter() - began > ALONE_SECONDS:
            break
    batches, started = 0, time.perf_counter()
    while time.perf_counter() - started < ALONE_SECONDS or batches < 2:
        source.next()
        batches += 1
    if trainer.processes.device.type == "cuda":
        torch.cuda.synchronize()
    return trainer.processes.totals([batches * at_once / (time.perf_counter() - started)])[0]


def _config(options: argparse.Namespace, kind: str, count: int, out: Path) -> TrainingConfig:
    config = read_config(TrainingConfig(), SMALL if options.small else None, [])
    per_gpu = 8 if options.small else SAMPLES_OF_A_STEP
    return replace(
        config,
        out=str(out),
        data=replace(config.data, kind=kind),
        release=replace(config.release, path=str(options.release)),
        synthetic=replace(config.synthetic, rigs=str(options.rigs)),
        optimiser=replace(config.optimiser, skip_above=0.0),
        steps=replace(
            config.steps,
            batch=per_gpu * count,
            batch_per_gpu=0,
            compiled=options.compiled,
            attention=options.attention,
        ),
        validation=replace(config.validation, every=0),
        log=replace(config.log, tensorboard=False),
    )


def _spawn(count: int, release: Path) -> int:
    """Runs this script in `count` processes, one for each GPU, and returns the worst exit status."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        **os.environ,
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    command = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:], "--release", str(release)]
    running = [
        subprocess.Popen(
            command,
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.DEVNULL if rank else subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    assert running[0].stdout is not None
    for line in running[0].stdout:
        if line.startswith("|"):  # the others are the trainer's own log
            print(line, end="", flush=True)
    codes = [_ended(process) for process in running]
    return max(abs(code) for code in codes)


def _ended(process: subprocess.Popen[str]) -> int:
    """The exit status of a process; the first has ended by now, and one that waits for it in vain is ended here."""
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _line(trainer: Trainer, row: dict[str, float]) -> str:
    count, rate = trainer.processes.count, row["samples"]
    workers = worker_count(trainer.config.release, count)
    kind = f"release, {workers} readers a GPU" if trainer.config.data.kind == "release" else "synthetic"
    return (
        f"| {count} | {kind} | {trainer.shares.at_once} | {rate:.1f} | {rate / count:.1f} | "
        f"{100 * row['waiting']:.1f}% | {row['alone']:.1f} | {row['memory']:.0f} GB |"
    )


def _powers(most: int) -> list[int]:
    return [1 << power for power in range(max(1, most).bit_length())]


def _device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


if __name__ == "__main__":
    sys.exit(main())
