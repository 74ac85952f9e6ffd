"""`motion324 images-to-video`: a folder of images as a video file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from motion324.cli.terminal import Terminal
from motion324.core.errors import EXIT_OK
from motion324.core.options import bad_option, read_option


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "images-to-video",
        help="make a video of a folder of images",
        description="Writes the images of DIR, in natural order (frame_2 before frame_10), as an MP4. What an alpha "
        "channel hides becomes white.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="PNG, JPEG, WebP, BMP or TIFF images of one size")
    parser.add_argument("-o", "--output", metavar="FILE.mp4", type=Path, required=True)
    parser.add_argument("--fps", metavar="F", type=float, default=24.0, help="frames per second; default: 24")
    parser.add_argument("--json", action="store_true", help="result as JSON on stdout, progress as JSON on stderr")
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from motion324.video.writing import write_image_sequence

    if arguments.output.suffix.lower() != ".mp4":
        raise bad_option("output", f"is '{arguments.output}'; it must end in .mp4")
    read_option("fps", arguments.fps)
    terminal = Terminal(as_json=arguments.json)
    try:
        count = write_image_sequence(arguments.folder, arguments.output, arguments.fps, terminal.progress)
    finally:
        terminal.clear()
    values = {"ok": True, "output": str(arguments.output), "frames": count, "fps": arguments.fps}
    sentence = f"{count} frames at {arguments.fps:g} a second: {arguments.output}"
    print(json.dumps(values, ensure_ascii=False) if arguments.json else sentence)
    return EXIT_OK
