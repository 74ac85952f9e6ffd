"""How much is sent at a time on lines of every kind, in simulated time."""

from __future__ import annotations

import pytest

from motion324.wire.flow import LARGEST_WINDOW, SMALLEST_WINDOW, TARGET_SECONDS, Window


def run(rate: float, delay: float, seconds: float, window: Window | None = None, start: float = 0.0) -> tuple:
    """A line that carries `rate` bytes per second and needs `delay` seconds for both ways, always with more to send.

    Returns the window, the bytes that were acknowledged, and the longest that a piece waited in the second half.
    """
    window = window or Window()
    now, free, waits, total, on_their_way = start, start, [], window._sent, []
    first = total
    while now < start + seconds:
        room = window.room()
        if room:
            window.send(room, now)
            total += room
            free = max(free, now) + room / rate
            on_their_way.append((free + delay, total, free - now))
        else:
            now, acknowledged, wait = on_their_way.pop(0)
            window.acknowledge(acknowledged, now)
            if now > start + seconds / 2:
                waits.append(wait)
    return window, window._acknowledged - first, max(waits)


@pytest.mark.parametrize("delay", [0.001, 0.05, 0.8])
@pytest.mark.parametrize("rate", [125_000, 250_000, 1_250_000, 12_500_000, 100e6])
def test_a_line_is_used_well_and_little_waits_in_it(rate, delay):
    _, acknowledged, wait = run(rate, delay, 60)
    assert acknowledged > 0.7 * min(rate, LARGEST_WINDOW / (delay + 0.01)) * 60
    assert wait < 2 * TARGET_SECONDS + SMALLEST_WINDOW / rate


def test_a_line_that_becomes_slow_is_noticed_and_one_that_becomes_fast_again_too():
    window, _, _ = run(10e6, 0.02, 20)
    window, _, wait = run(125_000, 0.02, 120, window, start=20)
    assert wait < 3 * TARGET_SECONDS
    _, acknowledged, _ = run(10e6, 0.02, 20, window, start=150)
    assert acknowledged > 0.5 * 10e6 * 20


def test_what_the_other_side_claims_beyond_what_was_sent_counts_for_nothing():
    window = Window()
    window.send(1000, 0.0)
    window.acknowledge(1 << 60, 0.1)
    assert window.on_its_way == 0
    window.acknowledge(5, 0.2)
    assert window.on_its_way == 0


def test_an_interpreter_that_answers_late_on_a_fast_line_does_not_slow_it_down():
    """As one does whose job holds it for a fifth of a second at a time."""
    _, acknowledged, _ = run(1e9, 0.2, 20, Window())
    late = Window()
    late.send(1000, 0.0)
    late.acknowledge(1000, 0.001)  # the line itself takes no time
    _, after, _ = run(1e9, 0.2, 20, late, start=1.0)
    assert after > 0.5 * acknowledged
