"""Plans bodies that are no animals of the usual kinds: machines with wheels, lids and propellers, hands, plants, cloth,
beasts with wings or with many arms, and stars.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from motion324.training.synthesis.creatures.body import Body
from motion324.training.synthesis.creatures.plans import (
    Generator,
    leg_radii,
    leg_steps,
    neck_and_head,
    quadruped,
    spine_along,
    tail,
    thinner,
    wings,
)


def winged_beast(rng: Generator) -> Body:
    body = quadruped(rng)
    spine = [number for number, bone in enumerate(body.bones) if bone.role == "spine"]
    for _ in range(rng.integers(1, 3)):
        wings(body, rng, int(rng.choice(spine)), rng.uniform(0.1, 0.2), links=int(rng.integers(2, 4)))
    return body


def many_armed(rng: Generator) -> Body:
    """A centaur, or something with two heads: an upright trunk, with pairs of arms, on four legs or more."""
    body, thick = Body(), rng.uniform(0.08, 0.18)
    spine = spine_along(body, rng, thick, height=rng.uniform(0.3, 0.7), slope=rng.normal(0, 0.1))
    pairs = int(rng.integers(1, 4))
    for pair in range(pairs):
        bone = spine[min(len(spine) - 1, pair * len(spine) // pairs)]
        hip = body.at(bone, rng.uniform(0.1, 0.9)) + np.array([thick * rng.uniform(0.4, 0.9), -0.3 * thick, 0])
        phase = math.pi * (pair % 2)
        body.grow_pair(bone, hip, leg_steps(rng, hip[1]), leg_radii(rng, thick), "leg", (phase, phase + math.pi))
    rise = rng.uniform(0.15, 0.3) * np.array([[0, 1.0, rng.normal(0.1, 0.15)]] * 2)
    trunk = body.grow(spine[-1], body.end(spine[-1]), rise, thick * rng.uniform(0.6, 1.1, 3), "spine")
    for _ in range(rng.integers(1, 4)):
        bone = int(rng.choice(trunk))
        down = rng.uniform(-0.6, 1.4)
        arm = np.array([math.cos(down), -math.sin(down), rng.normal(0, 0.3)])
        reach = rng.uniform(0.1, 0.25) * np.array([1, 0.9, 0.4])
        shoulder = body.at(bone, rng.uniform(0.4, 1)) + np.array([0.8 * thick, 0, 0])
        phase = rng.uniform(0, 2 * math.pi)
        radii = thinner(rng, rng.uniform(0.25, 0.45) * thick, 4)
        body.grow_pair(bone, shoulder, np.outer(reach, arm), radii, "arm", (phase, phase + math.pi))
    for _ in range(rng.integers(1, 3)):
        neck_and_head(body, rng, trunk[-1], 0.8 * thick, rise=rng.uniform(0.3, 1.5))
    tail(body, rng, spine[0], thick, chance=0.6)
    return body


def hand(rng: Generator) -> Body:
    body, wide = Body(), rng.uniform(0.12, 0.25)
    wrist = np.array([[0, rng.uniform(0.2, 0.5), 0.0], [0, rng.uniform(0.2, 0.35), 0.0]])
    palm = body.grow(-1, np.zeros(3), wrist, [0.6 * wide, 0.6 * wide, wide], "spine", flat=rng.uniform(0.8, 1.3))
    fingers, reach = int(rng.integers(3, 6)), rng.uniform(0.08, 0.17)
    spread = rng.uniform(0.1, 0.5)
    for finger in range(fingers):
        place = 2 * finger / (fingers - 1) - 1
        direction = np.array([spread * place, 1.0, rng.normal(0, 0.1)])
        root = body.end(palm[-1]) + np.array([0.9 * wide * place, -0.1 * wide * place**2, 0])
        steps = reach * rng.uniform(0.8, 1.2) * np.outer([1, 0.7, 0.5], direction)
        body.grow(palm[-1], root, steps, thinner(rng, 0.28 * wide, 4), "finger", phase=0.6 * finger)
    side = int(rng.choice([-1, 1]))
    thumb = reach * np.outer([1, 0.8], [side, rng.uniform(0.2, 0.9), rng.uniform(0, 0.5)])
    root = body.at(palm[-1], 0.4) + np.array([side * 0.7 * wide, 0, 0])
    body.grow(palm[-1], root, thumb, thinner(rng, 0.32 * wide, 3), "finger", phase=2.0)
    return body


def plant(rng: Generator) -> Body:
    """A stem with branches, leaves and blossoms, which sway."""
    body, thick = Body(), rng.uniform(0.03, 0.1)
    links = int(rng.integers(2, 6))
    lean = np.cumsum(rng.normal(0, 0.12, (links, 2)), axis=0)
    steps = 1 / links * np.stack([lean[:, 0], np.ones(links), lean[:, 1]], axis=1)
    stem = body.grow(-1, np.zeros(3), steps, thinner(rng, thick, links + 1), "tail")
    for _ in range(rng.integers(3, 10)):
        bone = int(rng.choice(stem[1:]))
        angle, rise = rng.uniform(0, 2 * math.pi), rng.uniform(-0.4, 1.2)
        out = np.array([math.cos(rise) * math.sin(angle), math.sin(rise), math.cos(rise) * math.cos(angle)])
        count = int(rng.integers(1, 4))
        reach = rng.uniform(0.12, 0.5) / count
        is_leaf = rng.random() < 0.6
        radii = reach * rng.uniform(0.3, 0.9) * np.sin(np.linspace(0.4, 2.9, count + 1)) if is_leaf else thick
        flat = rng.uniform(0.06, 0.2) if is_leaf else 1.0
        radii = np.broadcast_to(radii, (count + 1,)) * (1.0 if is_leaf else rng.uniform(0.3, 0.8))
        body.grow(bone, body.at(bone, rng.random()), np.stack([reach * out] * count), radii, "feeler", 0, angle, flat)
    if rng.random() < 0.7:
        body.grow(stem[-1], body.end(stem[-1]), np.array([[0, 0.1, 0.0]]), rng.uniform(0.05, 0.25, 2), "head")
    return body


def cloth(rng: Generator) -> Body:
    """A flag, a cape, a ribbon, a carpet: a wide flat chain that waves, on a pole or by itself."""
    body, links = Body(), int(rng.integers(5, 12))
    direction = np.array([[0, 0, 1.0], [1.0, 0, 0], [0, -1.0, 0.1]][int(rng.integers(3))])
    step = direction * rng.uniform(0.6, 1.2) / links
    width = rng.uniform(0.1, 0.4) * np.linspace(1, rng.uniform(0.5, 1.4), links + 1)
    root = -1
    if rng.random() < 0.6:
        pole = body.grow(-1, np.array([0, -0.6, 0.0]), np.array([[0, 1.2, 0.0]]), [0.03, 0.03], "spine")
        root = pole[0]
    for _ in range(rng.integers(1, 4) if rng.random() < 0.3 else 1):
        start = np.array([0, rng.uniform(-0.2, 0.6), 0])
        body.grow(root, start, np.stack([step] * links), width, "cloth", 0, rng.uniform(0, 6), rng.uniform(0.03, 0.1))
        root = 0
    return body


def star(rng: Generator) -> Body:
    """Arms all around a middle: a starfish, a spider, a crab without a head."""
    body, thick = Body(), rng.uniform(0.1, 0.25)
    middle = body.grow(-1, np.zeros(3), np.array([[0, 0.12, 0.0]]), thick * rng.uniform(0.8, 1.2, 2), "spine")
    arms, links = int(rng.integers(3, 11)), int(rng.integers(2, 5))
    reach = rng.uniform(0.25, 0.6) / links
    arch = rng.uniform(-0.8, 0.8, links)
    role = str(rng.choice(["leg", "tail", "arm"]))
    radii = thinner(rng, thick * rng.uniform(0.15, 0.5), links + 1)
    for arm in range(arms):
        angle = 2 * math.pi * (arm + 0.5) / arms
        out = np.array([math.sin(angle), 0, math.cos(angle)])
        steps = reach * (out + np.outer(arch, [0, 1.0, 0]))
        start = body.bones[middle[0]].head + 0.7 * thick * out
        body.grow(middle[0], start, steps, radii, role, int(np.sign(out[0])), angle + math.pi * (arm % 2))
    return body


def machine(rng: Generator) -> Body:
    """A vehicle, a chest, a crane, a mill: a body with wheels, lids, levers and propellers."""
    body, thick = Body(), rng.uniform(0.12, 0.3)
    long = rng.uniform(0.3, 0.9)
    radii = thick * rng.uniform(0.8, 1.2, 2)
    frame = body.grow(
        -1, np.array([0, 0.3, -long / 2]), np.array([[0, 0, long]]), radii, "spine", flat=rng.uniform(0.4, 1.3)
    )
    for pair in range(rng.integers(0, 4)):
        radius, width = rng.uniform(0.08, 0.25), rng.uniform(0.03, 0.1)
        root = body.at(frame[0], rng.uniform(0, 1)) + np.array([thick, -0.6 * thick, 0])
        phase = rng.uniform(0, 6) * (pair % 2)
        body.grow_pair(frame[0], root, np.array([[width, 0, 0]]), [radius, radius], "wheel", (phase, phase))
    for _ in range(rng.integers(0, 3)):
        size = rng.uniform(0.3, 1.0) * long
        root = body.at(frame[0], rng.uniform(0, 0.4)) + np.array([0, thick * rng.uniform(0.5, 1.1), 0])
        step = np.array([[0, rng.uniform(0, 0.4) * size, size]])
        body.grow(frame[0], root, step, thick * rng.uniform(0.5, 1.1, 2), "lid", flat=rng.uniform(0.1, 0.6))
    for _ in range(rng.integers(0, 3)):
        links = int(rng.integers(1, 5))
        root = body.at(frame[0], rng.random()) + np.array([rng.normal(0, 0.4) * thick, 0.7 * thick, 0])
        steps = rng.uniform(0.15, 0.4) * rng.normal([0, 0.8, 0.3], [0.2, 0.4, 0.5], (links, 3))
        body.grow(frame[0], root, steps, thinner(rng, rng.uniform(0.15, 0.4) * thick, links + 1), "arm")
    for _ in range(rng.integers(0, 2)):
        up = rng.random() < 0.6
        hub = body.at(frame[0], rng.random()) + np.array([0, 1.3 * thick, 0]) if up else body.end(frame[0])
        axis = np.array([0, 0.05, 0.0]) if up else np.array([0, 0, 0.08])
        rotor = body.grow(frame[0], hub, axis[None], [0.04, 0.04], "rotor" if up else "propeller")
        blades, reach = int(rng.integers(2, 6)), rng.uniform(0.15, 0.5)
        for blade in range(blades):
            angle = 2 * math.pi * blade / blades
            flat = [math.sin(angle), 0, math.cos(angle)] if up else [math.sin(angle), math.cos(angle), 0]
            body.grow(rotor[0], body.end(rotor[0]), reach * np.array([flat]), [0.05, 0.07], "blade", flat=0.25)
    return body


ODD_PLANS: dict[str, Callable[[Generator], Body]] = {
    plan.__name__: plan for plan in (winged_beast, many_armed, hand, plant, cloth, star, machine)
}
