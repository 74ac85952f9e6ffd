"""Plans bodies: each plan puts together the bones of a creature with random proportions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from motion324.training.synthesis.creatures.body import Body

Generator = np.random.Generator


def quadruped(rng: Generator) -> Body:
    body, thick = Body(), rng.uniform(0.1, 0.22)
    spine = spine_along(body, rng, thick, height=rng.uniform(0.4, 1.0), slope=rng.normal(0, 0.08))
    neck_and_head(body, rng, spine[-1], thick, rise=rng.uniform(-0.1, 1.2))
    tall = body.bones[spine[0]].head[1]
    gait = rng.choice([0.0, math.pi / 2, math.pi])  # pace, walk or trot, bound
    for bone, share, phase in ((spine[0], 0.15, 0.0), (spine[-1], 0.75, gait)):
        hip = body.at(bone, share) + np.array([thick * rng.uniform(0.4, 0.8), -0.3 * thick, 0])
        other = phase + math.pi * (rng.random() < 0.8)
        body.grow_pair(bone, hip, leg_steps(rng, hip[1] * min(1.0, tall)), leg_radii(rng, thick), "leg", (phase, other))
    tail(body, rng, spine[0], thick, chance=0.9)
    return body


def biped(rng: Generator) -> Body:
    body, thick = Body(), rng.uniform(0.08, 0.2)
    leg = rng.uniform(0.25, 0.9)
    lengths = rng.uniform(0.12, 0.3) * np.ones((3, 1)) * np.array([[0, 1.0, rng.normal(0, 0.08)]])
    radii = thick * rng.uniform(0.7, 1.3, 4)
    spine = body.grow(-1, np.array([0, leg, 0.0]), lengths, radii, "spine", flat=rng.uniform(0.6, 1.0))
    size = rng.uniform(0.1, 0.3)
    neck = body.grow(spine[-1], body.end(spine[-1]), np.array([[0, 0.06, 0.0]]), [0.5 * thick] * 2, "neck")
    body.grow(neck[-1], body.end(neck[-1]), np.array([[0, size, 0.04]]), [0.45 * size, 0.5 * size], "head")
    shoulder = body.at(spine[-1], 0.8) + np.array([radii[-1] * 0.9, 0, 0])
    down = rng.uniform(0.0, 1.4)  # from a T pose to arms that hang
    reach = rng.uniform(0.12, 0.32)
    arm = np.array([math.cos(down), -math.sin(down), rng.normal(0, 0.2)])
    body.grow_pair(
        spine[-1],
        shoulder,
        np.outer(reach * np.array([1, 0.9, 0.4]), arm),
        thinner(rng, 0.4 * thick, 4),
        "arm",
        (math.pi, 0.0),
    )
    hip = np.array([radii[0] * 0.5, leg, 0.0])
    body.grow_pair(spine[0], hip, leg_steps(rng, leg), leg_radii(rng, thick), "leg", (0.0, math.pi))
    tail(body, rng, spine[0], thick, chance=0.3)
    _ears(body, rng, len(spine) + len(neck), size)
    return body


def runner(rng: Generator) -> Body:
    """On two legs with a horizontal body: a dinosaur, an ostrich."""
    body, thick = Body(), rng.uniform(0.1, 0.22)
    spine = spine_along(body, rng, thick, height=rng.uniform(0.5, 1.0), slope=rng.uniform(0.0, 0.5))
    neck_and_head(body, rng, spine[-1], thick, rise=rng.uniform(0.2, 1.3))
    hip = body.at(spine[0], 0.5) + np.array([thick * 0.7, 0, 0])
    body.grow_pair(spine[0], hip, leg_steps(rng, hip[1]), leg_radii(rng, 1.3 * thick), "leg", (0.0, math.pi))
    shoulder = body.at(spine[-1], 0.7) + np.array([thick * 0.7, -0.4 * thick, 0])
    arm = rng.uniform(0.05, 0.2) * np.array([[0.3, -1, 0.3], [0, -0.3, 1]])
    body.grow_pair(spine[-1], shoulder, arm, thinner(rng, 0.35 * thick, 3), "arm", (0.0, math.pi))
    tail(body, rng, spine[0], thick, chance=1.0)
    return body


def bird(rng: Generator) -> Body:
    body, thick = Body(), rng.uniform(0.1, 0.2)
    spine = spine_along(body, rng, thick, height=rng.uniform(0.2, 0.6), slope=rng.uniform(0.1, 0.9))
    neck_and_head(body, rng, spine[-1], thick, rise=rng.uniform(0.3, 1.4))
    wings(body, rng, spine[-1], thick, links=3)
    hip = body.at(spine[0], 0.8) + np.array([thick * 0.5, -0.5 * thick, 0])
    body.grow_pair(
        spine[0], hip, leg_steps(rng, max(hip[1], 0.1)), thinner(rng, 0.25 * thick, 4), "leg", (0.0, math.pi)
    )
    fan = np.array([[0, rng.normal(0, 0.05), -rng.uniform(0.1, 0.3)]])
    body.grow(spine[0], body.bones[spine[0]].head, fan, [0.4 * thick, thick], "tail", flat=0.2)
    return body


def flyer(rng: Generator) -> Body:
    """A bat, a bee: hangs in the air by one or two pairs of wings."""
    body, thick = Body(), rng.uniform(0.12, 0.3)
    spine = spine_along(body, rng, thick, height=0.5, slope=rng.uniform(-0.5, 1.2))
    neck_and_head(body, rng, spine[-1], thick, rise=rng.uniform(-0.3, 0.8))
    for _ in range(rng.integers(1, 3)):
        wings(body, rng, int(rng.choice(spine)), thick, links=int(rng.integers(1, 4)))
    for bone in rng.choice(spine, rng.integers(1, 4)):
        hip = body.at(int(bone), rng.random()) + np.array([0.5 * thick, -0.6 * thick, 0])
        steps = rng.uniform(0.05, 0.12) * np.array([[0.4, -1, 0.2], [0.1, -1, -0.3]])
        phase = rng.uniform(0, 2 * math.pi)
        body.grow_pair(int(bone), hip, steps, thinner(rng, 0.2 * thick, 3), "leg", (phase, phase + 1.0))
    tail(body, rng, spine[0], thick, chance=0.4)
    return body


def fish(rng: Generator) -> Body:
    body, links = Body(), int(rng.integers(3, 6))
    thick, length = rng.uniform(0.1, 0.25), rng.uniform(0.5, 0.9)
    steps = np.tile([0, 0, length / links], (links, 1))
    profile = np.sin(np.linspace(0.35, 2.6, links + 1)) * thick
    start = np.array([0, 0, -length / 2])
    spine = body.grow(-1, start, steps, profile, "spine", flat=rng.uniform(0.6, 2.2))
    body.grow(spine[-1], body.end(spine[-1]), np.array([[0, 0, 0.1]]), [profile[-1], 0.3 * thick], "head")
    fin = np.array([[0, rng.normal(0, 0.04), -rng.uniform(0.1, 0.25)]])
    upright = rng.random() < 0.7
    body.grow(spine[0], start, fin, [0.3 * thick, thick * rng.uniform(0.7, 1.6)], "tail", flat=6.0 if upright else 0.15)
    for _ in range(rng.integers(1, 3)):
        bone = int(rng.choice(spine))
        root = body.at(bone, rng.random()) + np.array([0.5 * thick, 0, 0])
        step = rng.uniform(0.1, 0.3) * np.array([[1, rng.normal(0, 0.5), -0.6]])
        body.grow_pair(bone, root, step, [0.3 * thick, 0.5 * thick], "fin", (0.0, rng.choice([0.0, math.pi])), 0.2)
    if rng.random() < 0.7:
        bone = spine[len(spine) // 2]
        body.grow(bone, body.at(bone, 0.5), np.array([[0, 1.6 * thick, -0.1]]), [0.5 * thick, 0.2 * thick], "fin")
    return body


def insect(rng: Generator) -> Body:
    body, thick = Body(), rng.uniform(0.1, 0.25)
    spine = spine_along(body, rng, thick, height=rng.uniform(0.15, 0.4), slope=rng.normal(0, 0.15))
    head = body.grow(spine[-1], body.end(spine[-1]), np.array([[0, 0.0, 0.15]]), [0.7 * thick, 0.4 * thick], "head")
    pairs = int(rng.integers(2, 5))
    reach, tall = rng.uniform(0.15, 0.4), body.bones[spine[0]].head[1]
    for pair in range(pairs):
        bone = spine[min(len(spine) - 1, pair * len(spine) // pairs)]
        root = body.at(bone, rng.random()) + np.array([0.7 * thick, 0, 0])
        ahead = rng.normal(0, 0.3) + (pair - (pairs - 1) / 2) * 0.5
        steps = np.array([[reach, rng.uniform(0, 0.5) * reach, reach * ahead], [0.8 * reach, -root[1], reach * ahead]])
        phase = math.pi * (pair % 2)
        body.grow_pair(bone, root, steps, thinner(rng, 0.25 * thick, 3), "leg", (phase, phase + math.pi))
    feeler = rng.uniform(0.1, 0.25) * np.array([[0.3, 0.7, 0.6], [0.3, 0.2, 0.8]])
    root = body.end(head[0]) + np.array([0.2 * thick, 0.2 * thick, 0])
    body.grow_pair(head[0], root, feeler, thinner(rng, 0.1 * thick, 3), "feeler", (0.0, 1.0))
    tail(body, rng, spine[0], thick, chance=0.4)
    return body if tall > 0 else insect(rng)


def snake(rng: Generator) -> Body:
    body, links = Body(), int(rng.integers(6, 12))
    thick = rng.uniform(0.04, 0.1)
    bends = np.cumsum(rng.normal(0, 0.25, links))
    steps = 1.2 / links * np.stack([np.sin(bends), np.zeros(links), np.cos(bends)], axis=1)
    radii = thick * np.sin(np.linspace(0.3, 2.4, links + 1))
    spine = body.grow(-1, np.array([0, thick, -0.6]), steps, radii, "spine")
    body.grow(spine[-1], body.end(spine[-1]), np.array([[0, 0.03, 0.12]]), [thick, 0.6 * thick], "head", flat=0.7)
    return body


def octopus(rng: Generator) -> Body:
    body, thick = Body(), rng.uniform(0.12, 0.25)
    steps = np.array([[0, rng.uniform(0.1, 0.3), rng.normal(0, 0.05)]] * 2)
    spine = body.grow(-1, np.array([0, 0.4, 0.0]), steps, thick * rng.uniform(0.6, 1.3, 3), "spine")
    arms = int(rng.integers(5, 9))
    reach, drop = rng.uniform(0.08, 0.16), rng.uniform(-1.0, 0.2)
    for arm in range(arms):
        angle = 2 * math.pi * (arm + 0.5) / arms
        out = np.array([math.sin(angle), 0, math.cos(angle)])
        step = reach * (out + np.array([0, drop, 0]))
        body.grow(
            spine[0],
            body.bones[spine[0]].head + 0.6 * thick * out,
            np.stack([step] * 4),
            thinner(rng, 0.35 * thick, 5),
            "tail",
            int(np.sign(out[0])),
            angle,
        )
    return body


def walker(rng: Generator) -> Body:
    """A machine: a body on two to six legs, with arms or guns."""
    body, thick = Body(), rng.uniform(0.15, 0.3)
    tall = rng.uniform(0.25, 0.7)
    steps = np.array([[0, 0, rng.uniform(0.2, 0.5)]])
    radii = thick * rng.uniform(0.8, 1.2, 2)
    spine = body.grow(-1, np.array([0, tall, -0.15]), steps, radii, "spine", flat=rng.uniform(0.5, 1.5))
    pairs = int(rng.integers(1, 4))
    for pair in range(pairs):
        root = body.at(spine[0], (pair + 0.5) / pairs) + np.array([thick * rng.uniform(0.6, 1.0), 0, 0])
        phase = math.pi * (pair % 2)
        leg = leg_steps(rng, root[1]) + np.array([rng.uniform(0, 0.1), 0, 0])
        body.grow_pair(spine[0], root, leg, leg_radii(rng, thick), "leg", (phase, phase + math.pi))
    if rng.random() < 0.7:
        root = body.at(spine[0], rng.random()) + np.array([thick, 0.3 * thick, 0])
        arm = rng.uniform(0.1, 0.3) * np.array([[0.6, -0.5, 0.2], [0, -0.2, 1]])
        body.grow_pair(spine[0], root, arm, thinner(rng, 0.4 * thick, 3), "arm", (0.0, math.pi))
    top = body.at(spine[0], rng.random()) + np.array([0, 0.7 * thick, 0])
    body.grow(spine[0], top, np.array([[0, 0.12, rng.normal(0, 0.06)]]), [0.4 * thick, 0.5 * thick], "head")
    return body


USUAL_PLANS: dict[str, Callable[[Generator], Body]] = {
    plan.__name__: plan for plan in (quadruped, biped, runner, bird, flyer, fish, insect, snake, octopus, walker)
}


def spine_along(body: Body, rng: Generator, thick: float, height: float, slope: float) -> list[int]:
    """Along +Z, rising by `slope`."""
    links = int(rng.integers(2, 4))
    length = rng.uniform(0.35, 0.8) / links
    steps = length * np.stack([np.zeros(links), np.full(links, slope), np.ones(links)], axis=1)
    radii = thick * rng.uniform(0.7, 1.25, links + 1)
    start = np.array([0, height, -links * length / 2])
    return body.grow(-1, start, steps, radii, "spine", flat=rng.uniform(0.7, 1.4))


def neck_and_head(body: Body, rng: Generator, chest: int, thick: float, rise: float) -> None:
    links = int(rng.integers(1, 3))
    reach = rng.uniform(0.05, 0.3) / links
    ahead = np.array([0, math.sin(rise), math.cos(rise)])
    neck = body.grow(
        chest, body.end(chest), np.stack([reach * ahead] * links), thinner(rng, 0.7 * thick, links + 1), "neck"
    )
    size = thick * rng.uniform(0.5, 1.1)
    snout = np.array([[0, rng.normal(-0.02, 0.04), rng.uniform(0.1, 0.3)]])
    head = body.grow(neck[-1], body.end(neck[-1]), snout, [size, size * rng.uniform(0.2, 0.9)], "head")
    _ears(body, rng, head[0], size)


def _ears(body: Body, rng: Generator, head: int, size: float) -> None:
    if rng.random() < 0.6:
        root = body.at(head, rng.uniform(0, 0.4)) + np.array([0.6 * size, 0.6 * size, 0])
        step = size * rng.uniform(0.5, 2.0) * np.array([[rng.uniform(0, 0.8), 1, rng.normal(0, 0.4)]])
        body.grow_pair(head, root, step, [0.3 * size, 0.08 * size], "feeler", (0.0, 0.5), flat=rng.uniform(0.3, 1))


def tail(body: Body, rng: Generator, root: int, thick: float, chance: float) -> None:
    if rng.random() < chance:
        links = int(rng.integers(1, 5))
        droop = rng.uniform(-1.2, 0.8)
        step = rng.uniform(0.1, 0.7) / links * np.array([0, math.sin(droop), -math.cos(droop)])
        radii = thick * rng.uniform(0.2, 0.7) * np.linspace(1, rng.uniform(0.1, 0.8), links + 1)
        body.grow(root, body.bones[root].head, np.stack([step] * links), radii, "tail")


def wings(body: Body, rng: Generator, bone: int, thick: float, links: int) -> None:
    root = body.at(bone, rng.random()) + np.array([0.5 * thick, 0.5 * thick, 0])
    up = rng.uniform(-0.6, 0.9)
    step = rng.uniform(0.2, 0.6) / links * np.array([math.cos(up), math.sin(up), rng.normal(-0.1, 0.2)])
    width = rng.uniform(0.06, 0.2) * np.linspace(1.0, rng.uniform(0.3, 1.2), links + 1)
    body.grow_pair(bone, root, np.stack([step] * links), width, "wing", (0.0, 0.0), flat=rng.uniform(0.06, 0.2))


def leg_steps(rng: Generator, tall: float) -> np.ndarray:
    """(3, 3): thigh, shank and foot, down to the ground."""
    knee, bend = rng.uniform(0.4, 0.55), rng.normal(0, 0.12)
    foot = rng.uniform(0.05, 0.2) * tall
    drop = tall - 0.03
    return np.array(
        [[rng.uniform(0, 0.03), -knee * drop, bend], [0, -(1 - knee) * drop, -bend], [0, -0.02, foot]], dtype=float
    )


def leg_radii(rng: Generator, thick: float) -> np.ndarray:
    return thick * np.array(
        [rng.uniform(0.3, 0.6), rng.uniform(0.2, 0.4), rng.uniform(0.15, 0.3), rng.uniform(0.1, 0.3)]
    )


def thinner(rng: Generator, thick: float, count: int) -> np.ndarray:
    return thick * np.linspace(1.0, rng.uniform(0.3, 0.9), count)
