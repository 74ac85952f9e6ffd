"""Reads rigs, makes bodies of two and creatures, and keeps all in one file, with which training begins at once:
`python -m motion324.training.prepare_rigs --rigs DIR --out FILE.npz --creatures 40 --hybrids 250`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from motion324.core.errors import Motion324Error
from motion324.training.clips.split import draw_weights, split
from motion324.training.synthesis.creatures.creature import make_creatures
from motion324.training.synthesis.hybrids import make_hybrids
from motion324.training.synthesis.prepared_rigs import read_prepared_rigs, write_prepared_rigs
from motion324.training.synthesis.rigs import Rig, read_rigs

HYBRIDS_AT_ONCE = 20


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m motion324.training.prepare_rigs", description=__doc__)
    parser.add_argument("--rigs", type=Path, required=True, help="folder of rigged models (.npz)")
    parser.add_argument("--out", type=Path, required=True, help="the file")
    parser.add_argument("--creatures", type=int, default=0, help="of each body plan")
    parser.add_argument("--hybrids", type=int, default=0, help="bodies with limbs of others")
    parser.add_argument("--seed", type=int, default=0, help="of these")
    parser.add_argument("--processes", type=int, default=1, help="that work at once")
    options = parser.parse_args(arguments)
    try:
        rigs = prepared(options.rigs, options.creatures, options.hybrids, options.seed, options.processes)
        write_prepared_rigs(options.out, rigs)
    except Motion324Error as error:
        print(f"motion324: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{len(rigs)} rigs in '{options.out}'")
    return 0


def prepared(folder: Path, creatures: int, hybrids: int, seed: int, processes: int) -> list[Rig]:
    """All rigs of the folder, so many bodies made of two of those that are trained on, and so many creatures of each
    plan; the same ones for the same seed, however many processes work. Raises Motion324Error("rigs-missing" or
    "rig-broken")."""
    rigs = read_rigs(folder, processes=processes)
    return [*rigs, *_hybrids(split(rigs)[0], hybrids, seed, processes), *make_creatures(creatures, seed, processes)]


def _hybrids(rigs: list[Rig], count: int, seed: int, processes: int) -> list[Rig]:
    if not rigs or not count:
        return []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rigs.npz"
        write_prepared_rigs(path, rigs)
        jobs = [(path, min(HYBRIDS_AT_ONCE, count - begun), seed, begun) for begun in range(0, count, HYBRIDS_AT_ONCE)]
        with ProcessPoolExecutor(min(processes, len(jobs)), get_context("spawn")) as pool:
            made = [rig for some in pool.map(_some_hybrids, *zip(*jobs, strict=True)) for rig in some]
    return [replace(rig, name=f"hybrid__{number:03d}") for number, rig in enumerate(made)]


def _some_hybrids(path: Path, count: int, seed: int, begun: int) -> list[Rig]:
    rigs = read_prepared_rigs(path)
    return make_hybrids(rigs, draw_weights([rig.name for rig in rigs]), count, seed + begun)


if __name__ == "__main__":
    sys.exit(main())
