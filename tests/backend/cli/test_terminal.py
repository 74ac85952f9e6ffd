"""What a command shows while it works: on a terminal, in a log, and for programs."""

from __future__ import annotations

import io
import json

import pytest

from motion324.cli import terminal
from motion324.cli.terminal import Terminal, describe
from motion324.core.errors import Motion324Error
from motion324.core.jobs.job_plan import PlannedStage
from motion324.pipeline import stage_clock
from motion324.pipeline.stage_clock import StageClock


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

    monkeypatch.setattr(terminal.time, "monotonic", lambda: Clock.now)
    monkeypatch.setattr(stage_clock.time, "perf_counter", lambda: Clock.now)
    return Clock


def test_a_terminal_shows_one_line_that_changes(clock):
    out = Screen()
    shown = Terminal(out)
    for done in range(5):
        shown.progress("reconstruct", done, 5)
        clock.now += 1
    shown.clear()
    text = out.getvalue()
    assert "\n" not in text
    assert "Reconstructing  3 of 5" in text
    assert text.endswith(" \r")


def test_a_log_gets_a_line_for_each_stage_and_then_now_and_then(clock):
    out = io.StringIO()
    shown = Terminal(out)
    for done in range(25):
        shown.progress("reconstruct", done, 25)
        clock.now += 1
    shown.progress("smooth", 0, 1)
    lines = out.getvalue().splitlines()
    assert [line.split("  (")[0] for line in lines] == [
        "Reconstructing  0 of 25",
        "Reconstructing  10 of 25",
        "Reconstructing  20 of 25",
        "Smoothing",
    ]
    assert lines[1].endswith("(about 0:15 left)")


def test_json_lines_are_what_a_program_reads(clock):
    out = io.StringIO()
    shown = Terminal(out, as_json=True)
    shown.progress("view", 0, 2)
    clock.now += 0.1
    shown.progress("view", 1, 2)
    clock.now += 0.9
    shown.progress("view", 2, 2)
    shown.warn("Beware.")
    shown.fail(Motion324Error("bad", "It broke.", "Mend it.", 3))
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"stage": "view", "done": 0, "total": 2, "remaining": None},
        {"stage": "view", "done": 2, "total": 2, "remaining": 0.0},
        {"warning": "Beware."},
        {"error": {"code": "bad", "sentence": "It broke.", "hint": "Mend it.", "exit_code": 3}},
    ]


def test_what_is_left_is_that_of_the_whole_job_once_its_plan_is_known(clock, monkeypatch):
    monkeypatch.setattr(terminal, "slower_by_others", lambda: 1.0)
    out = io.StringIO()
    shown = Terminal(out, as_json=True)
    shown.progress("read", 0, 10)
    shown.expect((PlannedStage("read", 10.0), PlannedStage("view", 30.0), PlannedStage("write", 60.0)))
    clock.now += 5
    shown.progress("read", 5, 10)
    clock.now += 5
    shown.progress("view", 0, 1)
    left = [json.loads(line)["remaining"] for line in out.getvalue().splitlines()]
    assert left[0] is None and left[1:] == pytest.approx([95, 90], rel=0.05)


def test_a_warning_is_said_once_and_never_behind_the_changing_line(clock):
    out = Screen()
    shown = Terminal(out)
    shown.progress("view", 1, 2)
    shown.warn("Beware.")
    shown.warn("Beware.")
    assert out.getvalue().count("Beware.") == 1
    assert out.getvalue().endswith("\rwarning: Beware.\n")


def test_a_line_says_how_long_it_still_takes():
    assert describe("refine", 3, 10, 75.4) == "Refining  3 of 10  (about 1:15 left)"
    assert describe("sample", 0, 1, None) == "Sampling the surface"


def test_stages_are_timed_from_their_first_report_to_the_next_stages(clock):
    seen = []
    timer = StageClock(lambda *report: seen.append(report))
    clock.now = 2.0
    timer("foreground", 0, 1)
    clock.now = 5.0
    timer("view", 0, 1)
    clock.now = 6.0
    timer("foreground", 1, 1)
    clock.now = 6.5
    assert timer.seconds() == {"read": 2.0, "foreground": 3.5, "view": 1.0, "total": 6.5}
    assert seen == [("foreground", 0, 1), ("view", 0, 1), ("foreground", 1, 1)]
