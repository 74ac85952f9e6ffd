"""What is shown of a batch while it runs."""

from __future__ import annotations

import io
import json

from motion324.batches.executor import Running
from motion324.batches.watcher import Counts
from motion324.cli.batch_screen import BatchScreen, screen, sentence

COUNTS = Counts(total=60, kept=5, done=10, failed=1, by_node={"one": 6, "two": 5})
RUNNING = [Running(20, "21 fox.glb", "one", "reconstruct", 6, 12), Running(21, "22 deer.glb", "three")]
DONE = {
    "line": 7, "ok": True, "mesh": "fox.glb", "video": "fox.mp4", "frames": 29, "vertices": 812, "seconds": 31.25,
    "node": "one", "attempts": 2,
}  # fmt: skip
FAILED = {"line": 8, "ok": False, "code": "no-foreground", "error": "Nothing is there.", "hint": "Choose another."}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_screen_tells_all_items_machines_and_what_is_left():
    lines = screen(COUNTS, RUNNING, {"one": 1, "three": 1}, seconds=110)
    # 11 ended in 110 s, and 44 are left.
    assert lines[0] == "15 of 60 items done (5 before), 1 failed, 2 running, 42 waiting, about 7:20 left"
    assert [line.split() for line in lines[1:4]] == [
        ["one", "1", "worker,", "1", "running,", "6", "ended"],
        ["three", "1", "worker,", "1", "running,", "0", "ended"],
        ["two", "0", "workers,", "0", "running,", "5", "ended,", "gone"],
    ]
    assert "21 fox.glb" in lines[4] and "######......" in lines[4] and "Reconstructing 6 of 12" in lines[4]
    assert "22 deer.glb" in lines[5] and "starting" in lines[5]


def test_a_batch_without_a_machine_says_what_it_waits_for():
    lines = screen(Counts(total=3), [], {}, seconds=5)
    assert lines == ["0 of 3 items done, 3 waiting", "  no machine has room for them yet"]


def test_of_many_running_items_the_first_are_shown():
    running = [Running(key, f"{key}", "one") for key in range(30)]
    assert screen(Counts(total=30), running, {"one": 30}, 1.0)[-1].strip() == "and 18 more"


def test_a_terminal_is_drawn_anew_and_results_are_sentences_there():
    out, err = Terminal(), Terminal()
    shown = BatchScreen(out, err)
    shown.show(COUNTS, RUNNING, {"one": 1})
    height = err.getvalue().count("\n")
    shown.ended(DONE)
    assert err.getvalue().endswith(f"\x1b[{height}F\x1b[J")
    assert out.getvalue() == ("line 7: fox.glb after fox.mp4: 29 frames of 812 vertices in 31.2 s on one, attempt 2\n")


def test_elsewhere_results_are_json_and_a_line_tells_now_and_then_how_far_it_is():
    out, err = io.StringIO(), io.StringIO()
    shown = BatchScreen(out, err)
    for _ in range(5):
        shown.show(COUNTS, RUNNING, {"one": 1})
    assert err.getvalue().count("\n") == 1
    shown.ended(FAILED)
    assert json.loads(out.getvalue()) == FAILED
    assert err.getvalue().endswith(sentence(FAILED) + "\n")
    assert sentence(FAILED) == "line 8: failed (no-foreground): Nothing is there. Choose another."
