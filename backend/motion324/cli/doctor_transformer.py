"""What the motion transformer needs beyond the base installation: PyTorch, a device, attention kernels, weights.

All of it is optional, so nothing here is a problem of the installation.
"""

from __future__ import annotations

from motion324.cli.finding import Finding, Verdict
from motion324.core.errors import Motion324Error
from motion324.reconstructors.motion_transformer.torch_needed import import_torch, is_torch_installed
from motion324.weights.store import installed_path


def transformer_findings() -> list[Finding]:
    """Of PyTorch, and where it is installed, of the device, the kernels and the weights. Takes seconds."""
    if not is_torch_installed():
        return [Finding("torch", Verdict.FINE, "not installed; only the reconstructor motion-transformer needs it")]
    try:
        import_torch()
    except Motion324Error as error:
        return [Finding("torch", Verdict.WARNING, error.sentence.rstrip("."), error.hint)]
    return [_torch(), *_device(), _weights()]


def _torch() -> Finding:
    import torch

    build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
    return Finding("torch", Verdict.FINE, f"{torch.__version__}, {build}")


def _device() -> list[Finding]:
    import torch

    from motion324.reconstructors.motion_transformer.attention import Attention
    from motion324.reconstructors.motion_transformer.attention_shape import longest_attention
    from motion324.reconstructors.motion_transformer.config import ModelConfig
    from motion324.reconstructors.motion_transformer.device import choose_device, choose_precision, free_bytes
    from motion324.reconstructors.motion_transformer.options import TRAINED_FRAMES

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
    ]


def _weights() -> Finding:
    try:
        path = installed_path()
    except Motion324Error as error:
        return Finding("weights", Verdict.WARNING, error.sentence.rstrip("."), error.hint)
    return Finding("weights", Verdict.FINE, f"{path}, {path.stat().st_size / 1e9:.2f} GB")
