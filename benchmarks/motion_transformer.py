"""Speed and memory of the motion transformer at the published model's full size, with random weights.

    python benchmarks/motion_transformer.py [--frames 32,128,256] [--sweep] [--output FILE.json]

Prints three tables, all measured in one run on one machine, and with --sweep a fourth, from which
benchmarks/motion_transformer_picture.py draws its picture:
- every attention kernel that is installed: its error against float64, and TFLOP/s on the model's shapes;
- whole jobs, from arrays on the host to positions on the host: seconds per stage, peak memory, TFLOP/s, the floor
  (the arithmetic that must be done, at 800 TFLOP/s), and the ratio to the twin;
- the precision of the default setting against float32.
The twin follows the published formulation with plain PyTorch: autocast to bfloat16, FlashAttention through PyTorch's
scaled_dot_product_attention, and a decoder that embeds the points anew for every frame. It gets its inputs on the GPU
and leaves its output there.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.motion_transformer import fused
from motion324.reconstructors.motion_transformer.attention import Attention
from motion324.reconstructors.motion_transformer.attention_backends import Shape
from motion324.reconstructors.motion_transformer.attention_kernels import KERNELS
from motion324.reconstructors.motion_transformer.checkpoint import write_checkpoint
from motion324.reconstructors.motion_transformer.config import ModelConfig
from motion324.reconstructors.motion_transformer.device import Workload, tf32_products
from motion324.reconstructors.motion_transformer.execution import Execution, Pace
from motion324.reconstructors.motion_transformer.model import MotionModel, Points
from motion324.reconstructors.motion_transformer.options import InferenceOptions
from motion324.reconstructors.motion_transformer.predictor import MotionPredictor, ShapePoints
from motion324.training.transformer.preparation import random_model

SAMPLES = 16384
FRAME_SIZE = 512
FLOOR_FLOPS = 800e12
JOBS = ((32, 20_000), (128, 20_000), (256, 20_000), (256, 100_000))
# Time against frames and against vertices. Over 256 frames several windows overlap.
SWEEP = (
    *((frames, 20_000) for frames in (8, 16, 32, 64, 128, 192, 256, 384, 512)),
    *((256, count) for count in (2_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)),
)
STAGES = ("surface", "points", "images", "transformer", "decoder")


def random_shape(count: int, seed: int) -> ShapePoints:
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    positions = rng.uniform(-0.5, 0.5, (count, 3)).astype(np.float32)
    return ShapePoints(positions, normals.astype(np.float32), rng.uniform(0, 1, (count, 3)).astype(np.float32))


@functools.cache
def random_video(frames: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, FRAME_SIZE, FRAME_SIZE, 3), dtype=np.uint8)


def seconds_of(run: Callable[[], object], repeats: int, calls: int = 1) -> float:
    """Median wall-clock seconds of a call, the device's work included; `calls` of them go without waiting between."""
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            run()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / calls)
    return statistics.median(times)


# --- attention --------------------------------------------------------------------------------------------------------


def attention_table(config: ModelConfig, dtype: torch.dtype, frames: list[int]) -> list[dict]:
    """Every kernel on the model's shapes; None where it cannot do one."""
    heads, width, tokens = config.heads, config.head_width, config.tokens_per_frame
    shapes = {f"global, {count} frames": (1, count * tokens, count * tokens) for count in frames}
    shapes["per frame, 256"] = (256, tokens, tokens)
    shapes["decoder, 8 x 8192"] = (8, 8192, config.latent_tokens)
    shapes["surface"] = (1, config.latent_tokens, SAMPLES)
    rows = []
    for name, kernel in KERNELS.items():
        row: dict = {"kernel": name, "error": attention_error(name, heads, width, dtype)}
        for label, (batch, queries, keys) in shapes.items():
            row[label] = None
            wanted = Shape(torch.device("cuda", 0), dtype, batch, queries, keys, heads, width)
            slow = name == "math" and queries * keys > 1e8
            if slow or not kernel.supports(wanted):
                continue
            qkv = torch.randn(batch, max(queries, keys), 3, heads, width, device="cuda", dtype=dtype)
            q, k, v = qkv[:, :queries, 0], qkv[:, :keys, 1], qkv[:, :keys, 2]
            try:
                kernel.run(q, k, v)
                seconds = seconds_of(lambda q=q, k=k, v=v, kernel=kernel: kernel.run(q, k, v), 5, calls=10)
            except Exception as error:
                row[label] = f"fails: {str(error).strip().splitlines()[0][:80] if str(error) else type(error).__name__}"
                continue
            row[label] = 4.0 * batch * queries * keys * heads * width / seconds / 1e12
        rows.append(row)
    return rows


def attention_error(name: str, heads: int, width: int, dtype: torch.dtype) -> float | str | None:
    """Relative error against float64 arithmetic, on fresh random numbers."""
    q = torch.randn(2, 300, heads, width, device="cuda", dtype=dtype)
    k, v = (torch.randn(2, 70, heads, width, device="cuda", dtype=dtype) for _ in range(2))
    if not KERNELS[name].supports(Shape(q.device, dtype, 2, 300, 70, heads, width)):
        return None
    exact = KERNELS["math"].run(q.double(), k.double(), v.double())
    try:
        return relative(KERNELS[name].run(q, k, v).double(), exact)
    except Exception as error:
        return f"fails: {type(error).__name__}"


def relative(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


# --- whole jobs -------------------------------------------------------------------------------------------------------


def job_row(predictor: MotionPredictor, twin: MotionModel | None, frames: int, count: int, repeats: int) -> dict:
    surface, points, video = random_shape(SAMPLES, 1), random_shape(count, 2), random_video(frames, 3)
    predictor.predict(surface, points, video)
    torch.cuda.reset_peak_memory_stats()
    runs = []
    for _ in range(repeats):
        start = time.perf_counter()
        predictor.predict(surface, points, video)
        runs.append((time.perf_counter() - start, dict(predictor.seconds)))
    total, seconds = sorted(runs, key=lambda run: run[0])[len(runs) // 2]
    flop = Workload(predictor.config).total(SAMPLES, frames, count)
    row = {
        "frames": frames,
        "vertices": count,
        "seconds": total,
        "slowest": max(run[0] for run in runs),
        **{stage: seconds[stage] for stage in STAGES},
        "peak GB": torch.cuda.max_memory_allocated() / 1e9,
        "reserved GB": torch.cuda.max_memory_reserved() / 1e9,
        "TFLOP/s": flop / total / 1e12,
        "floor": flop / FLOOR_FLOPS,
        "twin": None,
        "ratio": None,
    }
    torch.cuda.empty_cache()
    if twin is not None:
        twin.cuda()
        inputs = (surface.on(predictor.device), points.on(predictor.device), torch.from_numpy(video).cuda())
        row["twin"] = seconds_of(lambda: plain_twin(twin, *inputs), 1)
        row["ratio"] = row["twin"] / total
        twin.cpu()
        torch.cuda.empty_cache()
    return row


def plain_twin(model: MotionModel, surface: Points, points: Points, video: Tensor) -> Tensor:
    """The published formulation. Gradients stay enabled, though nothing needs one, which selects the plain forms."""
    run = Execution(Attention("flash"), Pace(video.device, whole=True))
    with tf32_products(True):
        patches = torch.cat([model.image_encoder(part, Execution.plain(video.device)) for part in video.split(64)])
    with tf32_products(True), torch.autocast("cuda", torch.bfloat16):
        latent = model.encode_surface(model.embed_points(surface, run), run)
        motion = model.transform(model.assemble_tokens(latent, patches, 256), run)
        moved = []
        for frame in range(len(video)):
            features = model.embed_points(points, run)
            keys, values = model.decoder_cross_attn.keys_and_values(motion[frame : frame + 1], run)
            queries = model.decoder_cross_attn.queries(features[None], run)[0]
            moved.append(model.decode(features, queries, keys, values, run)[0])
        return torch.stack(moved).float()


# --- precision --------------------------------------------------------------------------------------------------------


def precision_row(reference: MotionModel, frames: int, count: int, precision: str) -> dict:
    """The relative difference from float32 of the default setting."""
    surface, points, video = random_shape(SAMPLES, 4), random_shape(count, 5), random_video(frames, 6)
    moved = {}
    for name in ("float32", precision):
        predictor = MotionPredictor(copy.deepcopy(reference), InferenceOptions(precision=name))
        moved[name] = predictor.predict(surface, points, video)
    error = np.linalg.norm(moved[precision] - moved["float32"]) / np.linalg.norm(moved["float32"])
    return {"frames": frames, "vertices": count, "precision": precision, "relative difference": float(error)}


# --- printing ---------------------------------------------------------------------------------------------------------


def print_table(title: str, rows: list[dict]) -> None:
    print(f"\n{title}\n")
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(_cell(value) for value in row.values()) + " |")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", default="32,128,256", help="frame counts to measure")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--attention", default="auto")
    parser.add_argument("--no-twin", action="store_true")
    parser.add_argument("--sweep", action="store_true", help="also other numbers of frames and of vertices")
    parser.add_argument("--output", type=Path, help="a JSON file for all numbers")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("This benchmark measures a CUDA GPU, and PyTorch sees none.")
    frames = [int(part) for part in arguments.frames.split(",")]
    properties = torch.cuda.get_device_properties(0)
    machine = {"device": properties.name, "torch": torch.__version__, "triton": fused.triton_works()}
    machine["cudnn"] = torch.backends.cudnn.version()
    print(machine)

    config = ModelConfig()
    model = random_model(config, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.safetensors"
        write_checkpoint(model.state_dict(), config, path, {})
        predictor = MotionPredictor.load(path, InferenceOptions(attention=arguments.attention))
    machine |= {"load seconds": predictor.seconds["load"], "warm-up seconds": predictor.seconds["warm-up"]}
    print(machine)

    tables = {"attention": attention_table(config, predictor.precision.blocks, frames)}
    print_table("Attention kernels, TFLOP/s (error: relative, against float64)", tables["attention"])
    twin = None if arguments.no_twin else copy.deepcopy(model).requires_grad_(False)
    jobs = [job for job in JOBS if job[0] in frames]
    if twin is not None:
        plain_twin(twin.cuda(), random_shape(64, 0).on(predictor.device), random_shape(64, 0).on(predictor.device),
                   torch.zeros(2, 64, 64, 3, dtype=torch.uint8, device="cuda"))  # fmt: skip
    tables["jobs"] = [job_row(predictor, twin, *job, arguments.repeats) for job in jobs]
    print_table("Jobs, seconds", tables["jobs"])
    tables["precision"] = [precision_row(model, 16, 2000, predictor.precision.name)]
    print_table("Precision", tables["precision"])
    if arguments.sweep:
        tables["sweep"] = [job_row(predictor, None, *job, arguments.repeats) for job in SWEEP]
        print_table("Frames and vertices, seconds", tables["sweep"])
    if arguments.output:
        arguments.output.write_text(json.dumps({"machine": machine, **tables}, indent=1))


if __name__ == "__main__":
    main()
