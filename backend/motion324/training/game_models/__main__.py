"""Makes rigs to train on from the models of a free game:
`python -m motion324.training.game_models --data FOLDER --game 0ad --out DIR`.

FOLDER is where the game's package of data was unpacked. backend/README.md names packages and licences.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from motion324.core.errors import Motion324Error
from motion324.training.game_models.cube2 import models as cube2
from motion324.training.game_models.lugaru import models as lugaru
from motion324.training.game_models.megaglest import catalogue as megaglest
from motion324.training.game_models.sheets import draw_sheets
from motion324.training.game_models.supertuxkart import catalogue as supertuxkart
from motion324.training.game_models.textured_model import TexturedModel
from motion324.training.game_models.textured_rig import write_rig
from motion324.training.game_models.ufoai import models as ufoai
from motion324.training.game_models.zero_ad import catalogue as zero_ad

Models = Iterator[tuple[str, Callable[[], TexturedModel | None]]]  # names, and what makes the model of a name
GAMES: dict[str, Callable[[Path], Models]] = {
    "0ad": zero_ad.models,
    "cube2": cube2.models,
    "lugaru": lugaru.models,
    "megaglest": megaglest.models,
    "supertuxkart": supertuxkart.models,
    "ufoai": ufoai.models,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m motion324.training.game_models", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the game's unpacked package")
    parser.add_argument("--game", choices=sorted(GAMES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the rigs (.npz); those that are there stay")
    parser.add_argument("--sheets", type=Path, help="folder for pictures of the rigs in three poses each")
    options = parser.parse_args(arguments)
    made: list[Path] = []
    try:
        for name, make in GAMES[options.game](options.data):
            path = options.out / f"{name}.npz"
            model = None if path.exists() else make()
            if path.exists() or (model is not None and write_rig(path, model)):
                made.append(path)
            print(path if path in made else f"{name}: nothing moves, or it falls apart", flush=True)
        if options.sheets:
            draw_sheets(made, options.sheets)
    except Motion324Error as error:
        print(f"motion324: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{len(made)} rigs in '{options.out}'")
    return 0


if __name__ == "__main__":
    sys.exit(main())
