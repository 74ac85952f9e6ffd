"""Makes docs/images/ from the pictures that the tests in the real window have left in out/gui/.

    python tests/gui/make_pictures.py             # all of them
    python tests/gui/make_pictures.py film        # those of these stories only

needs Pillow, which the backend's development environment has.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
TAKEN, KEPT = ROOT / "out/gui", ROOT / "docs/images"
SMALL_WINDOW, SMALL_SIDEBAR = (330, 75, 1056, 720), (775, 85, 1056, 620)  # in pixels of a screen of 1280 x 800
PICTURES = {  # name in docs/images: the story, its picture, the part that is shown; and more parts to the right of it
    "first_run": ("first_animation", "first_run", (1025, 75, 1330, 260)),
    "installing": ("first_animation", "installing", (1025, 75, 1330, 200)),
    "ready": ("film", "ready", SMALL_WINDOW),
    "running": ("film", "running", SMALL_WINDOW),
    "result": ("film", "result", SMALL_WINDOW),
    "kept": ("film", "kept", SMALL_SIDEBAR),
    "overlay": ("film", "side_by_side", (40, 75, 1056, 620)),
    "tweak": ("panel_states_1", "tweak_dark", (775, 85, 1056, 652)),
    "rig": ("film", "rig", (52, 240, 770, 840)),
    "engines": ("film", "export", (775, 618, 1035, 845), "export_dialog", (1040, 70, 1280, 345)),
    "one_by_one": ("several_results", "results", (1035, 80, 1340, 525)),
    "error": ("first_animation", "error", (1025, 75, 1330, 660)),
    "lost": ("other_buttons", "lost", (775, 260, 1035, 545)),
    "new_mesh": ("new_mesh", "made", (330, 55, 1330, 905)),
    "mask_and_view": ("looks_dark", "all_open", (1038, 475, 1300, 985)),
}
WIDE, TALL = (262, 300, 762, 604), (262, 200, 762, 700)  # of what stands in the middle of the viewport
SIDES = ("made_side", "made_front", "own_side", "own_front")
GRIDS = {  # name in docs/images: rows of stories with their pictures and the part that is shown, CELL pixels wide
    "rigs_of_clips": (
        [("bones_of_fox_gallop", name, WIDE) for name in SIDES],
        [("bones_of_triceratops_walk", name, WIDE) for name in SIDES],
        [(f"bones_of_{clip}", name, TALL) for clip in ("george_dance", "shiba") for name in SIDES[:2]],
    ),
}
CELL = 330
FILM_BOX = (0, 28, 1056, 960)  # without the outliner and the properties
_IN_FILM = re.compile(r"\(images/(film/\d\d_(\w+))\.jpg\)")  # which docs/film.md shows, and of which picture
LARGEST = 100_000  # bytes
GAP = 16  # pixels between two parts


def main() -> int:
    wanted = set(sys.argv[1:])
    shown = {name: each for name, each in PICTURES.items() if not wanted or each[0] in wanted}
    if not wanted or "film" in wanted:
        page = (ROOT / "docs/film.md").read_text("utf-8")
        shown |= {target: ("film", name, FILM_BOX) for target, name in _IN_FILM.findall(page)}
    grids = {name: rows for name, rows in GRIDS.items() if not wanted or rows[0][0][0] in wanted}
    taken = [(story, name) for story, *parts in shown.values() for name in parts[::2]]
    taken += [(story, name) for rows in grids.values() for row in rows for story, name, _ in row]
    missing = [story for story, name in taken if not (TAKEN / story / f"{name}.png").exists()]
    if missing:
        print(
            f"error: out/gui/ has no pictures of {', '.join(sorted(set(missing)))}: run tests/gui first",
            file=sys.stderr,
        )
        return 1
    for target, rows in grids.items():
        _keep(_grid(rows), target)
    for target, (story, *parts) in shown.items():
        cut = [part_of(story, name, box) for name, box in zip(parts[::2], parts[1::2], strict=True)]
        width = sum(part.width + GAP for part in cut) - GAP
        picture = Image.new("RGB", (width, max(part.height for part in cut)), "white")
        for index, part in enumerate(cut):
            picture.paste(part, (sum(each.width + GAP for each in cut[:index]), 0))
        _keep(picture, target)
    return 0


def _keep(picture: Image.Image, target: str) -> None:
    path = KEPT / f"{target}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    for quality in (88, 80, 70, 60):
        picture.save(path, quality=quality, optimize=True)
        if path.stat().st_size < LARGEST:
            break
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def _grid(rows: tuple[list[tuple[str, str, tuple[int, int, int, int]]], ...]) -> Image.Image:
    cells = [[part_of(*each) for each in row] for row in rows]
    heights = [round(CELL * row[0].height / row[0].width) for row in cells]
    grid = Image.new("RGB", (CELL * max(map(len, rows)), sum(heights)))
    for y, (row, height) in enumerate(zip(cells, heights, strict=True)):
        for x, cell in enumerate(row):
            grid.paste(cell.resize((CELL, height), Image.Resampling.LANCZOS), (x * CELL, sum(heights[:y])))
    return grid


def part_of(story: str, name: str, box: tuple[int, int, int, int]) -> Image.Image:
    picture = Image.open(TAKEN / story / f"{name}.png").convert("RGB")
    left, top, right, bottom = box
    return picture.crop((left, top, right, min(bottom, picture.height)))


if __name__ == "__main__":
    sys.exit(main())
