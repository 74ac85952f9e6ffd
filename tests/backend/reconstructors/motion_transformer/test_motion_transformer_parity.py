"""The model is the same function as the published one: golden numbers of a tiny configuration, in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the motion transformer needs PyTorch, which is not installed here")

from safetensors.numpy import load_file  # noqa: E402

from motion324.reconstructors.motion_transformer.checkpoint import convert, load_model  # noqa: E402
from motion324.reconstructors.motion_transformer.execution import Execution  # noqa: E402
from motion324.reconstructors.motion_transformer.model import Points  # noqa: E402
from motion324.reconstructors.motion_transformer.options import InferenceOptions  # noqa: E402
from motion324.reconstructors.motion_transformer.predictor import MotionPredictor, ShapePoints  # noqa: E402

GOLDEN = Path(__file__).parents[5] / "shared" / "parity"
CHECKPOINT = GOLDEN / "ckpt_0000000000000007.pt"
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
TRAINED_FRAMES = {"resized_T6": 12, "exact_T12": 12, "chunk8_T20": 8}

if not CHECKPOINT.is_file():
    pytest.skip(f"the golden numbers are not at {GOLDEN}", allow_module_level=True)


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return load_file(GOLDEN / "tiny_cases.safetensors")


def relative(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def shapes_of(golden: dict[str, np.ndarray], case: str) -> tuple[ShapePoints, ShapePoints]:
    surface = (golden[f"{case}.ref_shape_{name}"] for name in ("pcd", "normals", "rgbs"))
    points = (golden[f"{case}.ref_{name}"] for name in ("pcd", "normal", "rgb"))
    return ShapePoints(*surface), ShapePoints(*points)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", TRAINED_FRAMES)
def test_predictions_agree_with_the_golden_numbers(golden, case, device):
    frames = TRAINED_FRAMES[case]
    options = InferenceOptions(
        device=device, precision="float32", window=frames, trained_frames=frames, windows="published"
    )
    predictor = MotionPredictor.load(CHECKPOINT, options)
    moved = predictor.predict(*shapes_of(golden, case), golden[f"{case}.rgb_video"])
    assert relative(moved, golden[f"{case}.pcd_moved"]) < 1e-5


@pytest.mark.parametrize("device", DEVICES)
def test_the_image_encoder_agrees_with_the_golden_numbers(golden, device):
    model = load_model(CHECKPOINT, torch.device(device), torch.float32)
    images = torch.from_numpy(golden["dino.image"]).permute(0, 2, 3, 1).to(device)
    with torch.no_grad():
        tokens = model.image_encoder(images, Execution.plain(images.device))
        model.image_encoder.model.prepare_for_inference()
        folded = model.image_encoder(images, Execution.plain(images.device))
    assert relative(tokens.cpu().numpy(), golden["dino.patch_tokens"]) < 1e-5
    assert relative(folded.cpu().numpy(), golden["dino.patch_tokens"]) < 1e-5


def test_the_differentiable_form_agrees_with_the_golden_numbers(golden):
    """`forward`, which training uses: whole, unfolded, through autograd."""
    model = load_model(CHECKPOINT, torch.device("cpu"), torch.float32)
    surface, points = (
        Points(*(torch.from_numpy(x) for x in (shape.positions, shape.normals, shape.colours)))
        for shape in shapes_of(golden, "resized_T6")
    )
    moved = model(surface, points, torch.from_numpy(golden["resized_T6.rgb_video"]), 12)
    assert relative(moved.detach().numpy(), golden["resized_T6.pcd_moved"]) < 1e-5
    moved.square().sum().backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in model.parameters())


def test_a_converted_checkpoint_gives_the_same_positions(golden, tmp_path):
    convert(CHECKPOINT, tmp_path / "tiny.safetensors")
    options = InferenceOptions(device="cpu", window=12, trained_frames=12)
    shapes, video = shapes_of(golden, "exact_T12"), golden["exact_T12.rgb_video"]
    direct, converted = (
        MotionPredictor.load(path, options).predict(*shapes, video)
        for path in (CHECKPOINT, tmp_path / "tiny.safetensors")
    )
    assert np.array_equal(direct, converted)
