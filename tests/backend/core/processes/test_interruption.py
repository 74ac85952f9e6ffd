"""Ctrl-C, and work that is waited for: what is asked to stop stops, without accidents."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from motion324.core.errors import Cancelled
from motion324.core.processes.interruption import waited

BEGIN = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
from motion324.cli import main as cli
from motion324.core.processes.interruption import look

def ready():
    print("ready", flush=True)

def run(arguments):
    try:
        work()
    finally:
        print("cleaned up", flush=True)
    return 0

parser = cli.build_parser()
parser.set_defaults(run=run)
"""
END = """
cli.build_parser = lambda: parser
parser._action_groups = []
parser.parse_args = lambda argv: cli.argparse.Namespace(run=run)
sys.exit(cli.main([]))
"""


def start(work: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + work + END], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    return process


WORKS = {
    "reports, and loses what is raised elsewhere": """
def work():
    ready()
    while True:
        look()
        try:
            time.sleep(0.05)
        except KeyboardInterrupt:
            pass
""",
    "makes an error of its own of it": """
def work():
    ready()
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        raise SystemError("returned a result with an exception set")
""",
    "loses it in a callback": """
class Lost:
    def __del__(self):
        time.sleep(1.5)
def work():
    ready()
    Lost()
    while True:
        look()
        time.sleep(0.01)
""",
    "is silent": """
def work():
    ready()
    time.sleep(30)
""",
}


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_ends_with_130_and_cleans_up_whatever_it_does(work, number):
    process = start(work)
    began = time.monotonic()
    process.send_signal(number)
    said, errors = process.communicate(timeout=20)
    assert process.returncode == 130 and time.monotonic() - began < 5
    assert said == "cleaned up\n"
    assert "error: The job was cancelled.\n" in errors and "defect" not in errors
    assert "Traceback" not in errors or errors.startswith("Exception ignored in")  # Python tells of a lost one


def test_a_second_ctrl_c_ends_at_once():
    process = start(
        """
def work():
    ready()
    while True:
        try:
            time.sleep(0.01)
        except KeyboardInterrupt:
            pass
"""
    )
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130 and time.monotonic() - began < 0.5
    assert errors == "\nstopped at once\n"


def test_an_ignored_signal_stays_ignored():
    process = start(
        """
def work():
    ready()
    time.sleep(1)
    look()
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""
    )
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=20)
    assert (process.returncode, said, errors) == (0, "cleaned up\n", "")


def test_what_the_work_returns_or_raises_comes_back():
    assert waited(lambda: 7, lambda: None) == 7
    with pytest.raises(ZeroDivisionError):
        waited(lambda: 1 // 0, lambda: None)


def test_a_cancel_does_not_wait_for_the_work():
    ended = threading.Event()

    def check() -> None:
        raise Cancelled

    began = time.monotonic()
    with pytest.raises(Cancelled):
        waited(lambda: ended.wait(10), check)
    assert time.monotonic() - began < 0.5
    ended.set()
