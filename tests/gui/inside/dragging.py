"""Drags a file from another program onto a window, as a file manager does, and lets it go there.

    python3 dragging.py WINDOW X Y FILE

WINDOW: an X11 window's number. X, Y: pixels from the screen's upper left corner. Speaks XDND version 3 as its source
(https://www.freedesktop.org/wiki/Specifications/XDND/); by ctypes, since Blender's Python has no X11 library. Ends with
0 once the window has taken the file, with 1 where it has not within 20 seconds.
"""

from __future__ import annotations

import ctypes
import sys
import time
from ctypes import byref, c_char_p, c_int, c_long, c_ubyte, c_uint, c_ulong, c_void_p
from pathlib import Path

VERSION = 3
CLIENT_MESSAGE, SELECTION_REQUEST, SELECTION_NOTIFY = 33, 30, 31  # X11's kinds of events
NEXT_STEP = 0.3  # seconds that a target gets between two messages, as a hand gives it
PATIENCE = 20.0  # seconds
_HEAD = [("type", c_int), ("serial", c_ulong), ("send_event", c_int), ("display", c_void_p)]


class _Message(ctypes.Structure):
    _fields_ = [*_HEAD, ("window", c_ulong), ("message_type", c_ulong), ("format", c_int), ("data", c_long * 5)]


class _Request(ctypes.Structure):
    _fields_ = [
        *_HEAD,
        *((name, c_ulong) for name in ("owner", "requestor", "selection", "target", "property", "time")),
    ]


class _Notice(ctypes.Structure):
    _fields_ = [*_HEAD, *((name, c_ulong) for name in ("requestor", "selection", "target", "property", "time"))]


class _Event(ctypes.Union):
    _fields_ = [
        ("type", c_int),
        ("message", _Message),
        ("request", _Request),
        ("notice", _Notice),
        ("pad", c_long * 24),
    ]


class Source:
    """What is dragged from: a window that nobody sees, which owns the selection that the target asks for."""

    def __init__(self, target: int, file: Path) -> None:
        self.x = ctypes.CDLL("libX11.so.6")
        self.x.XOpenDisplay.restype = c_void_p
        self.x.XInternAtom.restype = self.x.XDefaultRootWindow.restype = self.x.XCreateSimpleWindow.restype = c_ulong
        self.display = c_void_p(self.x.XOpenDisplay(None))
        assert self.display, "there is no X11 display"
        root = c_ulong(self.x.XDefaultRootWindow(self.display))
        size = [c_uint(value) for value in (1, 1, 0)]  # width, height, border
        none = c_ulong(0)
        self.window = self.x.XCreateSimpleWindow(self.display, root, 0, 0, *size, none, none)
        self.target, self.uris = target, f"{file.as_uri()}\r\n".encode()
        self.x.XSetSelectionOwner(self.display, self.atom("XdndSelection"), c_ulong(self.window), c_ulong(0))

    def atom(self, name: str) -> c_ulong:
        return c_ulong(self.x.XInternAtom(self.display, c_char_p(name.encode()), 0))

    def tell(self, kind: str, *data: int) -> None:
        """A message to the target; data: what comes after the source's own window."""
        event = _Event()
        event.message.type, event.message.window = CLIENT_MESSAGE, self.target
        event.message.message_type, event.message.format = self.atom(kind).value, 32
        event.message.data = (c_long * 5)(self.window, *data)
        self.x.XSendEvent(self.display, c_ulong(self.target), 0, c_long(0), byref(event))
        self.x.XFlush(self.display)
        time.sleep(NEXT_STEP)

    def answer(self, request: _Request) -> None:
        """Gives the target what is dragged."""
        places = c_ulong(request.requestor), c_ulong(request.property), c_ulong(request.target)
        content = (c_ubyte * len(self.uris))(*self.uris)
        self.x.XChangeProperty(self.display, *places, 8, 0, content, len(self.uris))
        event = _Event()
        event.notice.type = SELECTION_NOTIFY
        for name, _ in _Notice._fields_[len(_HEAD) :]:
            setattr(event.notice, name, getattr(request, name))
        self.x.XSendEvent(self.display, places[0], 0, c_long(0), byref(event))
        self.x.XFlush(self.display)

    def drag_to(self, x: int, y: int) -> bool:
        """Enters, moves and drops there -> whether the target has asked for the file and finished with it."""
        self.tell("XdndEnter", VERSION << 24, self.atom("text/uri-list").value, 0, 0)
        for step in range(3):  # a hand moves in
            self.tell("XdndPosition", 0, (x - 2 + step) << 16 | y, 0, self.atom("XdndActionCopy").value)
        self.tell("XdndDrop", 0, 0, 0, 0)
        until, asked, event = time.monotonic() + PATIENCE, False, _Event()
        while time.monotonic() < until:
            if not self.x.XPending(self.display):
                time.sleep(0.02)
                continue
            self.x.XNextEvent(self.display, byref(event))
            if event.type == SELECTION_REQUEST:
                self.answer(event.request)
                asked = True
            elif event.type == CLIENT_MESSAGE and event.message.message_type == self.atom("XdndFinished").value:
                return asked
        return asked


if __name__ == "__main__":
    window, x, y = (int(word) for word in sys.argv[1:4])
    sys.exit(not Source(window, Path(sys.argv[4])).drag_to(x, y))
