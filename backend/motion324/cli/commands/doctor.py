"""Runs `motion324 doctor`, which looks whether this installation can work, and says what to do where it cannot."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from importlib.resources import files
from pathlib import Path

from motion324 import __version__
from motion324.core.errors import EXIT_INTERNAL, EXIT_OK, Motion324Error
from motion324.core.files.log_file import default_log_path
from motion324.core.processes.machine import check_memory, device_name, total_memory
from motion324.reconstructors.motion_transformer.options import import_torch, is_torch_installed
from motion324.weights.store import installed_path

REINSTALL = "Install the backend anew: pip install --force-reinstall motion324."
# Module: distribution, of what the base installation needs.
LIBRARIES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "numba": "numba",
    "cv2": "opencv-python-headless",
    "av": "av",
    "onnxruntime": "onnxruntime",
    "mapbox_earcut": "mapbox-earcut",
    "jinja2": "jinja2",
    "DracoPy": "DracoPy",
    "PIL": "pillow",
    "safetensors": "safetensors",
}
LITTLE_MEMORY = 3 << 30
LITTLE_DISK = 1 << 30


class Verdict(Enum):
    FINE = "fine"
    WARNING = "warning"  # works, but something is missing or slow
    PROBLEM = "problem"  # does not work


@dataclass(frozen=True)
class Finding:
    """subject: what was looked at. text: what was found. remedy: what to do, unless it is fine."""

    subject: str
    verdict: Verdict
    text: str
    remedy: str = ""


def examine(blender: Path | None = None) -> list[Finding]:
    """Everything that a job depends on, in the order in which a person reads it. Takes a few seconds.

    Where memory is too little for libraries to load, which may end the process, that alone is told.
    """
    try:
        check_memory()
    except Motion324Error as error:
        return [_program(), Finding("memory", Verdict.PROBLEM, error.sentence, error.hint)]
    return [
        _program(),
        *(_library(module, distribution) for module, distribution in LIBRARIES.items()),
        _device(),
        _memory(),
        _foreground_model(),
        _compact_model(),
        *transformer_findings(),
        _blender(blender),
        _writable("temporary files", Path(tempfile.gettempdir())),
        _writable("log", default_log_path().parent),
        _compiled_code(),
    ]


def _program() -> Finding:
    text = f"{__version__} on Python {platform.python_version()}, {platform.platform()}"
    return Finding("motion324", Verdict.FINE, text)


def _library(module: str, distribution: str) -> Finding:
    try:
        loaded = importlib.import_module(module)
        version = getattr(loaded, "__version__", None) or metadata.version(distribution)
        return Finding(distribution, Verdict.FINE, str(version))
    except Exception as error:  # a broken library raises anything
        return Finding(distribution, Verdict.PROBLEM, f"cannot be loaded: {error}", REINSTALL)


def _device() -> Finding:
    return Finding("device", Verdict.FINE, device_name())


def _memory() -> Finding:
    total = total_memory()
    text = f"{total / 2**30:.1f} GB" if total else "unknown"
    if 0 < total < LITTLE_MEMORY:
        return Finding("memory", Verdict.WARNING, text, "Long videos and large meshes may need more than that.")
    return Finding("memory", Verdict.FINE, text)


def _foreground_model() -> Finding:
    subject = "foreground model"
    try:
        from motion324.video.foreground.saliency import MODEL_FILE, load_network

        place = load_network().place
        size = MODEL_FILE.stat().st_size / 1e6
    except Exception as error:  # onnxruntime has exceptions of its own for every kind of damage
        return Finding(subject, Verdict.PROBLEM, f"it cannot be loaded: {error}", REINSTALL)
    return Finding(subject, Verdict.FINE, f"{MODEL_FILE.stem}, {size:.1f} MB, bundled, on {place}")


def _compact_model() -> Finding:
    try:
        from motion324.reconstructors.gpu_choice import torch_gpu
        from motion324.reconstructors.node_model.opening import accelerator, opened_model
        from motion324.reconstructors.node_model.reconstructor import BUNDLED

        opened_model(BUNDLED, "cpu", lambda: None)
        place, fit = accelerator(), "cuda, PyTorch" if torch_gpu("auto") else "cpu"
    except Exception as error:  # libraries that are broken raise anything
        return Finding("compact model", Verdict.PROBLEM, f"it cannot be loaded: {error}", REINSTALL)
    size = BUNDLED.stat().st_size / 1e6
    return Finding(
        "compact model", Verdict.FINE, f"{BUNDLED.stem}, {size:.1f} MB, bundled, on {place}; the fit on {fit}"
    )


def _blender(preferred: Path | None) -> Finding:
    from motion324.blender.blender_reading import ENVIRONMENT_VARIABLE, find_blender

    try:
        found = find_blender(preferred)
    except Motion324Error as error:
        return Finding("Blender", Verdict.WARNING, error.sentence, error.hint)
    if found is None:
        remedy = f"Only .fbx and .blend need it: install Blender, or set {ENVIRONMENT_VARIABLE} to its executable."
        return Finding("Blender", Verdict.WARNING, "not found", remedy)
    return Finding("Blender", Verdict.FINE, str(found))


def _writable(subject: str, folder: Path) -> Finding:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"probe")
    except OSError as error:
        remedy = "Make that folder writable, or choose another one."
        return Finding(subject, Verdict.PROBLEM, f"'{folder}' cannot be written to: {error.strerror}", remedy)
    free = shutil.disk_usage(existing).free
    text = f"{folder}, {free / 1e9:.0f} GB free"
    if free < LITTLE_DISK:
        return Finding(subject, Verdict.WARNING, text, "Free some space.")
    return Finding(subject, Verdict.FINE, text)


def _compiled_code() -> Finding:
    """numba keeps what it compiles beside the modules, else in a folder of the user; without either it is slow."""
    subject = "compiled code"
    user_cache = os.environ.get("NUMBA_CACHE_DIR") or Path.home() / ".cache" / "numba"
    places = [Path(str(files("motion324"))) / "view", Path(user_cache)]
    for place in places:
        existing = next(parent for parent in (place, *place.parents) if parent.exists())
        if os.access(existing, os.W_OK):
            return Finding(subject, Verdict.FINE, f"kept in {place}")
    remedy = "Set NUMBA_CACHE_DIR to a folder that you may write to."
    return Finding(subject, Verdict.WARNING, "cannot be kept, so every start compiles anew", remedy)


def transformer_findings() -> list[Finding]:
    """What the motion transformer needs besides: PyTorch, and where it is installed, a device, kernels and weights.

    All of it is optional, so nothing here is a problem of the installation. Takes seconds.
    """
    if not is_torch_installed():
        return [Finding("torch", Verdict.FINE, "not installed; only the reconstructor motion-transformer needs it")]
    try:
        import_torch()
    except Motion324Error as error:
        return [Finding("torch", Verdict.WARNING, error.sentence.rstrip("."), error.hint)]
    return [_torch(), *_torch_device(), _weights()]


def _torch() -> Finding:
    import torch

    build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
    return Finding("torch", Verdict.FINE, f"{torch.__version__}, {build}")


def _torch_device() -> list[Finding]:
    import torch

    from motion324.core.options.animate_options import TRAINED_FRAMES
    from motion324.reconstructors.motion_transformer.attention import Attention
    from motion324.reconstructors.motion_transformer.attention_backends import longest_attention
    from motion324.reconstructors.motion_transformer.config import ModelConfig
    from motion324.reconstructors.motion_transformer.device import choose_device, choose_precision, free_bytes

    subject, kernels = "torch's device", "attention"
    if torch.cuda.is_available():
        try:
            device = choose_device("cuda")
        except Motion324Error as error:
            return [Finding(subject, Verdict.WARNING, error.sentence.rstrip("."), error.hint)]
        free = (free_bytes(device) or 0) / 1e9
        major, minor = torch.cuda.get_device_capability(device)
        name = f"{torch.cuda.get_device_name(device)}, compute capability {major}.{minor}, {free:.1f} GB free"
    else:
        device = choose_device("cpu")
        name = "the CPU, where patience is needed: PyTorch sees no GPU"
    precision = choose_precision("auto", device)
    shape = longest_attention(ModelConfig(), TRAINED_FRAMES, device, precision.blocks)
    usable = Attention("auto").usable(shape)
    return [
        Finding(subject, Verdict.FINE, f"{name}, {precision.name}"),
        Finding(kernels, Verdict.FINE, f"{', '.join(usable)}; the first is taken"),
        *(_unused_xformers(usable) if device.type == "cuda" else []),
    ]


def _unused_xformers(usable: Sequence[str]) -> list[Finding]:
    """usable: the kernels that attention can take here."""
    if "xformers" in usable or importlib.util.find_spec("xformers") is None:
        return []
    remedy = "Its wheels fit one PyTorch each, that of 0.0.35 2.10 for CUDA 12.8; all else works without it."
    return [Finding("xformers", Verdict.WARNING, "installed, but not usable with this PyTorch and GPU", remedy)]


def _weights() -> Finding:
    try:
        path = installed_path()
    except Motion324Error as error:
        return Finding("weights", Verdict.WARNING, error.sentence.rstrip("."), error.hint)
    return Finding("weights", Verdict.FINE, f"{path}, {path.stat().st_size / 1e9:.2f} GB")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "doctor",
        help="look whether this installation can work",
        description="Looks at versions, device, memory, the bundled model, Blender and folders.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--blender", metavar="PATH", type=Path, help="Blender, which .fbx and .blend need")
    parser.add_argument("--json", action="store_true", help="findings as JSON on stdout")
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    findings = examine(arguments.blender)
    healthy = all(finding.verdict is not Verdict.PROBLEM for finding in findings)
    if arguments.json:
        listed = [
            {"subject": f.subject, "verdict": f.verdict.value, "text": f.text, "remedy": f.remedy} for f in findings
        ]
        print(json.dumps({"ok": healthy, "findings": listed}, ensure_ascii=False))
    else:
        width = max(len(finding.subject) for finding in findings)
        for finding in findings:
            mark = "" if finding.verdict is Verdict.FINE else f"{finding.verdict.value}: "
            print(f"{finding.subject:{width}}  {mark}{finding.text}{'. ' + finding.remedy if finding.remedy else ''}")
        print("Everything that is needed works." if healthy else "Something that is needed does not work.")
    return EXIT_OK if healthy else EXIT_INTERNAL
