"""Packs a release into tar shards: `python -m motion324.training.pack_release RELEASE OUT LIST ...`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from motion324.core.errors import Motion324Error
from motion324.training.clips.release_files import DEFAULT_SHARD_BYTES, pack


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m motion324.training.pack_release",
        description="Packs the clips that lists name into tar shards, which `motion324 train` reads like folders.",
    )
    parser.add_argument("release", metavar="RELEASE", type=Path, help="folder with pcds, images and the lists")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder for the shards")
    parser.add_argument("lists", metavar="LIST", nargs="+", help="files in RELEASE with names of clips, one a line")
    parser.add_argument(
        "--shard-bytes", type=int, default=DEFAULT_SHARD_BYTES, help="a new shard begins at this size (default: 1 GiB)"
    )
    options = parser.parse_args(arguments)
    try:
        shards = pack(options.release, options.out, options.lists, options.shard_bytes)
    except Motion324Error as error:
        print(f"motion324: {error}", file=sys.stderr)
        return error.exit_code
    size = sum(shard.stat().st_size for shard in shards)
    print(f"{options.out}: {len(shards)} shard{'s' if len(shards) != 1 else ''}, {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
