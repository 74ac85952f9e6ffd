"""How long a whole job still takes, told from its first stage on: on simulated clocks that run faster and slower."""

from __future__ import annotations

import dataclasses

import pytest

from motion324.core.job_pace import JobPace
from motion324.core.job_plan import PlannedStage, plan_of
from motion324.core.options import COMPACT, FIT, TRANSFORMER, AnimateOptions
from motion324.core.progress import STAGES

LONG_480P = {"frames": 2000, "pixels": 854 * 480, "vertices": 7735}


def told(plan, really):
    """[(share of the job that is over, seconds told, seconds that it really still took)], by a job that goes through
    `really`, {stage: seconds}, in a thousand steps each
    after its start."""
    pace, now, said = JobPace(), 0.0, []
    pace.expect(plan)
    whole = sum(really.values())
    stages = {stage.name: stage for stage in plan}
    for name, seconds in really.items():
        stage = stages[name]
        for _ in range(50):  # of starting
            said.append((now / whole, pace.update(name, 0, 1000, now), whole - now))
            now += seconds * stage.start / 50
        for done in range(1000):
            said.append((now / whole, pace.update(name, done, 1000, now), whole - now))
            now += seconds * (1 - stage.start) / 500 * (stage.half if done < 500 else 1 - stage.half)
    return said


def taking(plan, slower):
    return {stage.name: stage.seconds * slower for stage in plan if stage.seconds}


def worst(said, after=0.1, before=0.97):
    ratios = [remaining / true for share, remaining, true in said if after <= share <= before]
    return max(max(ratios), 1 / min(ratios))


@pytest.mark.parametrize("slower", [0.2, 0.5, 1, 2, 5, 10])
@pytest.mark.parametrize(
    "options",
    [
        AnimateOptions(),
        AnimateOptions(mask="rembg", quality="draft"),
        AnimateOptions(mask="plain", reconstructor=FIT, quality="fine"),
        AnimateOptions(reconstructor=COMPACT, view="front"),
    ],
)
def test_after_a_tenth_of_the_job_what_is_told_is_right_within_a_factor_of_two(slower, options):
    plan = plan_of(options, **LONG_480P)
    assert worst(told(plan, taking(plan, slower))) < 2


def test_a_short_job_on_a_machine_five_times_slower_is_told_right_as_well():
    plan = plan_of(AnimateOptions(), 29, 512 * 512, 7735)
    assert worst(told(plan, taking(plan, 5))) < 2


def test_the_first_stage_already_tells_of_the_whole_job():
    plan = plan_of(AnimateOptions(), **LONG_480P)
    said = told(plan, taking(plan, 1))
    assert said[0][1] == pytest.approx(said[0][2], rel=0.01)
    assert said[0][1] > 10 * plan[0].seconds


def test_stages_that_are_left_out_count_for_nothing():
    plan = plan_of(AnimateOptions(), **LONG_480P)
    really = {name: seconds for name, seconds in taking(plan, 3).items() if name not in ("foreground", "load", "read")}
    assert worst(told(plan, really)) < 2


def test_a_background_that_needs_no_network_says_nothing_of_the_machine():
    plan = plan_of(AnimateOptions(mask="auto"), **LONG_480P)
    really = taking(plan, 1)
    really["foreground"] /= 20
    assert worst(told(plan, really)) < 2


def test_a_stage_that_goes_on_much_slower_than_the_ones_before_is_corrected_by_itself():
    plan = plan_of(AnimateOptions(), **LONG_480P)
    really = taking(plan, 1)
    really["refine"] *= 6
    assert worst([entry for entry in told(plan, really) if entry[0] > 0.7]) < 2


def test_a_better_plan_replaces_the_first_one_and_what_has_passed_still_counts():
    first = (PlannedStage("read", 10.0), PlannedStage("view", 5.0), PlannedStage("write", 5.0))
    pace = JobPace()
    pace.expect(first)
    pace.update("read", 0, 10, 0.0)
    assert pace.update("read", 5, 10, 50.0) == pytest.approx(150, rel=0.3)
    pace.expect((*first[:2], PlannedStage("write", 85.0)))
    assert pace.update("view", 0, 1, 100.0) == pytest.approx(900, rel=0.3)


def test_without_a_plan_the_present_stage_is_told():
    pace = JobPace()
    assert pace.update("refine", 0, 100, 0.0) is None
    assert pace.update("refine", 10, 100, 1.0) == pytest.approx(9)
    assert pace.update("smooth", 0, 10, 2.0) is None


def test_nothing_is_ever_told_below_zero_and_the_end_is_told_as_none_left():
    plan = plan_of(AnimateOptions(), 29, 512 * 512, 7735)
    pace = JobPace()
    pace.expect(plan)
    for now, stage in enumerate(stage.name for stage in plan):
        for done in (0, 1, 1000):
            assert pace.update(stage, done, 1000, now * 100.0 + done / 20) >= 0
    assert pace.update("view", 0, 1, 900.0) == 0  # a late word of a stage that is over
    assert pace.update("download", 0, 1, 900.0) == 0


def test_a_plan_holds_the_stages_in_the_order_of_the_pipeline_and_grows_with_the_job():
    for options in (AnimateOptions(), AnimateOptions(reconstructor=TRANSFORMER), AnimateOptions(mask="sam2")):
        plan = plan_of(options, **LONG_480P)
        assert [STAGES.index(stage.name) for stage in plan] == sorted(STAGES.index(stage.name) for stage in plan)
        assert all(0 < stage.half < 1 and stage.seconds >= 0 for stage in plan)
        for larger in ({"frames": 4000}, {"vertices": 20_000}, {"pixels": 1920 * 1080}):
            more = plan_of(options, **{**LONG_480P, **larger})
            assert sum(stage.seconds for stage in more) > sum(stage.seconds for stage in plan)


def test_options_decide_what_is_planned():
    def seconds(**chosen):
        plan = plan_of(dataclasses.replace(AnimateOptions(), **chosen), **LONG_480P)
        return {stage.name: stage.seconds for stage in plan}

    assert seconds(quality="draft")["reconstruct"] < seconds()["reconstruct"] / 2
    assert seconds(quality="draft")["refine"] < seconds()["refine"] < seconds(quality="fine")["refine"]
    assert seconds(mask="plain")["foreground"] < seconds(mask="rembg")["foreground"]
    assert "refine" not in seconds(reconstructor=COMPACT) and "load" not in seconds(reconstructor=FIT)
    assert seconds(view="front")["view"] < seconds()["view"]
    assert plan_of(AnimateOptions(), **LONG_480P, overlay=True)[-1].seconds > 100 > seconds()["write"]
    assert plan_of(AnimateOptions(), **LONG_480P, masks_given=True)[1] == PlannedStage("foreground", 0.0)


# Two runs of the product on two cores that had other work, too: what is told, after how many seconds, (seconds, done).
RECORDED = [
    (
        AnimateOptions(),
        29,
        41.7,
        [
            ("read", 1, [(0.0, 0)]),
            ("foreground", 29, [(0.4, 0), (1.1, 29)]),
            ("sample", 1, [(1.2, 0)]),
            ("view", 1, [(1.2, 0)]),
            ("view", 5, [(2.6, 1), (3.4, 3)]),
            ("load", 1, [(4.0, 0)]),
            (
                "reconstruct",
                58,
                [(5.2, 0), (7.2, 7), (9.4, 12), (11.3, 18), (13.1, 29), (16.5, 36), (19.0, 41), (22.0, 47), (24.9, 58)],
            ),
            (
                "refine",
                58,
                [
                    (25.0, 0),
                    (26.7, 1),
                    (27.5, 4),
                    (28.5, 6),
                    (29.3, 8),
                    (30.2, 11),
                    (31.0, 15),
                    (32.1, 18),
                    (33.0, 20),
                    (33.8, 23),
                    (34.9, 25),
                    (35.7, 26),
                    (36.5, 27),
                    (37.5, 31),
                    (38.3, 34),
                    (39.2, 37),
                    (39.9, 39),
                    (40.7, 48),
                    (41.4, 58),
                ],
            ),
            ("smooth", 1, [(41.7, 0)]),
            ("write", 29, [(41.7, 0)]),
        ],
    ),
    (
        AnimateOptions(quality="draft", mask="rembg"),
        16,
        22.0,
        [
            ("read", 1, [(0.0, 0)]),
            ("foreground", 16, [(0.2, 0), (0.9, 4), (1.7, 11), (2.4, 16)]),
            ("sample", 1, [(2.4, 0)]),
            ("view", 1, [(2.4, 0)]),
            ("view", 5, [(3.3, 1), (4.0, 3)]),
            ("load", 1, [(4.4, 0)]),
            ("reconstruct", 16, [(5.5, 0), (15.3, 5), (18.0, 16)]),
            ("refine", 32, [(18.0, 0), (18.7, 1), (19.4, 6), (20.1, 11), (20.9, 16), (21.6, 22)]),
            ("smooth", 1, [(21.9, 0)]),
        ],
    ),
]


@pytest.mark.parametrize(("options", "frames", "end", "stages"), RECORDED)
def test_what_recorded_runs_told_was_right_within_a_factor_of_two_nearly_always(options, frames, end, stages):
    pace, wrong, watched, before = JobPace(), 0.0, 0.0, 0.0
    pace.expect(plan_of(options, frames, 512 * 512, 7735))
    reports = [(seconds, stage, done, total) for stage, total, told in stages for seconds, done in told]
    for seconds, stage, done, total in reports:
        left = pace.update(stage, done, total, seconds)
        if end - seconds > 2:
            watched += seconds - before
            wrong += 0 if 0.5 <= left / (end - seconds) <= 2 else seconds - before
        before = seconds
    assert wrong < 0.15 * watched
