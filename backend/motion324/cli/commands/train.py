"""Runs `motion324 train`, which trains the motion transformer."""

from __future__ import annotations

import argparse
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from motion324.core.errors import EXIT_OK, EXIT_STOPPED, EXIT_USAGE, Motion324Error
from motion324.reconstructors.motion_transformer.options import import_torch

EXAMPLES = """examples:
  motion324 train published out=runs/a release.path=data image_encoder=dinov2_vitb14_pretrain.pth
  torchrun --nproc-per-node 8 -m motion324 train published out=runs/a release.path=shards init=checkpoint.pt
  motion324 train small out=runs/b
  motion324 train --print-config > mine.toml

A run goes on from its newest checkpoint when it is started again. SIGTERM and Ctrl-C save one and end it with code 8.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "train",
        help="train the motion transformer on data in the published layout, or on synthetic clips",
        description="Trains the motion transformer. CONFIG is a TOML file; every key can also be given as key=value.\n"
        f"Two configurations come with the program: {', '.join(_shipped())}.\n\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="a TOML file, or the name of one that comes along")
    parser.add_argument("overrides", metavar="key=value", nargs="*", help="as in optimiser.rate=1e-4")
    parser.add_argument("--print-config", action="store_true", help="print all keys with their values, and stop")
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from motion324.training.shared.config import TrainingConfig
    from motion324.training.shared.config_keys import as_toml, read_config

    given = [text for text in (arguments.config, *arguments.overrides) if text is not None]
    named = bool(given) and ("=" not in given[0] or Path(given[0]).is_file())
    path = _config_path(given[0]) if named else None
    config = read_config(TrainingConfig(), path, given[1:] if named else given)
    if arguments.print_config:
        print(as_toml(config), end="")
        return EXIT_OK
    import_torch()
    from motion324.training.transformer.training_run import run_training

    return EXIT_OK if run_training(config) else EXIT_STOPPED


def _config_path(text: str) -> Path:
    """Raises Motion324Error("config-unreadable") where there is neither such a file nor one that comes along."""
    path = Path(text)
    if path.is_file():
        return path
    if text in _shipped():
        return Path(str(_folder() / f"{text}.toml"))
    raise Motion324Error(
        "config-unreadable",
        f"There is no configuration '{text}'.",
        f"Give a TOML file, or one of those that come along: {', '.join(_shipped())}.",
        EXIT_USAGE,
    )


def _shipped() -> list[str]:
    return sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def _folder() -> Traversable:
    return files("motion324.training.transformer") / "configs"
