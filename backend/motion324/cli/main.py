"""Is the `motion324` command."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence

from motion324 import __version__
from motion324.cli.commands import (
    animate,
    batch,
    doctor,
    engines,
    evaluate,
    from_video,
    refine,
    rig,
    serve,
    train,
    videos,
    weights,
)
from motion324.cli.terminal import Terminal, error_fields
from motion324.core.errors import EXIT_BACKEND, EXIT_INTERNAL, Cancelled, Motion324Error
from motion324.core.files.write_aside import system_error
from motion324.core.processes.interruption import Interruption
from motion324.core.processes.machine import check_memory, is_out_of_memory, keep_few_heaps

EXIT_CODES = """exit codes:
  0    done
  1    a defect of this program, a failed item of a batch, a clip that could not be scored, or a problem that
       `doctor` found
  2    wrong command line or option
  3    the mesh cannot be used
  4    the video or the given masks cannot be used
  5    no foreground object found
  6    cannot write: folder, permission or full disk
  7    out of memory, or the backend process failed
  8    `train` was told to stop, and has saved a checkpoint
  130  cancelled with Ctrl-C
"""

# Commands that need little, or tell of too little memory themselves.
LIGHT = (doctor, serve, train, weights)
NEEDS = {evaluate.run_compare: 0.0, videos.run_images_to_video: 0.6}  # of what the shortest job takes, where it is less


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; errors become one sentence on stderr."""
    with Interruption() as interruption:
        return run_command(interruption, argv)


def run_command(interruption: Interruption, argv: Sequence[str] | None = None) -> int:
    """The same, where Ctrl-C is heeded already."""
    keep_few_heaps()
    arguments = build_parser().parse_args(argv)
    as_json = getattr(arguments, "json", False)
    try:
        interruption.look()
        if arguments.run.__module__ not in [command.__name__ for command in LIGHT]:
            check_memory(NEEDS.get(arguments.run, 1.0))
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        error: Motion324Error = Cancelled()
    except Motion324Error as known:
        error = Cancelled() if interruption.asked else known
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INTERNAL
    except Exception as unknown:
        # Once somebody has asked to stop, what a library makes of that is no defect.
        error = Cancelled() if interruption.asked else explain(unknown)
        if error.code == "internal":
            traceback.print_exc()
    Terminal().fail(error)
    if as_json:
        print(json.dumps({"ok": False, **error_fields(error)}, ensure_ascii=False))
    return error.exit_code


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motion324",
        description="Animates a mesh after a video of the same thing moving.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"motion324 {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add_to in (
        animate.add_to,
        from_video.add_to,
        refine.add_to,
        animate.add_examine_to,
        videos.add_overlay_to,
        videos.add_images_to_video_to,
        engines.add_engine_to,
        engines.add_vat_to,
        engines.add_retime_to,
        batch.add_to,
        evaluate.add_to,
        evaluate.add_compare_to,
        videos.add_render_to,
        rig.add_to,
        serve.add_to,
        doctor.add_to,
        weights.add_to,
        train.add_to,
    ):
        add_to(commands).epilog = EXIT_CODES
    return parser


def explain(unknown: Exception) -> Motion324Error:
    """What a person is told about an exception that nobody foresaw."""
    if is_out_of_memory(unknown):
        return Motion324Error(
            "out-of-memory",
            "The memory of this machine is not enough for this mesh and video.",
            "Use fewer frames or a mesh with fewer vertices, or close other programs.",
            EXIT_BACKEND,
        )
    return system_error(unknown) or Motion324Error(
        "internal",
        f"A defect of this program stopped it ({type(unknown).__name__}: {unknown}).",
        "Please report it with what is printed above.",
    )


if __name__ == "__main__":
    sys.exit(main())
