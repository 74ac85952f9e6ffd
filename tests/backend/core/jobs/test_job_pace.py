"""How long a whole job still takes, told from its first stage on: on simulated clocks that run faster and slower."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from motion324.core.jobs import job_plan
from motion324.core.jobs.job_pace import JobPace
from motion324.core.jobs.job_plan import PlannedStage, plan_of
from motion324.core.options.animate_options import COMPACT, FIT, TRANSFORMER, AnimateOptions
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


RECORDED = json.loads(Path(__file__).with_name("recorded_jobs.json").read_text("utf-8"))


@pytest.mark.parametrize("job", RECORDED, ids=lambda job: f"{job['frames']} {job['clock']} {job['options']}")
def test_what_recorded_jobs_told_was_right_within_a_factor_of_two_nearly_always(monkeypatch, job):
    """Fresh and warm jobs of the product on two cores beside a dozen other processes, by the clock, with `slower` as
    the load told; and the same by the processor's seconds, as though they had been alone."""
    monkeypatch.setattr(job_plan, "SEEN_AT_ONCE", 25)  # as they were when these were recorded
    monkeypatch.setattr(job_plan, "LOOKED_AT_EACH", 10_000)
    options = AnimateOptions.from_dict(job["options"])
    pace, wrong, before = JobPace(job["slower"]), 0.0, 0.0
    pace.expect(plan_of(options, job["frames"], 512 * 512, job["vertices"]))
    for seconds, stage, done, total in job["reports"]:
        left, true = pace.update(stage, done, total, seconds), job["end"] - seconds
        if true > 1:
            wrong += 0 if 0.5 <= left / true <= 2 else seconds - before
        before = seconds
    assert wrong < 0.05 * job["end"]


def test_a_model_that_is_loaded_already_says_nothing_of_the_machine():
    plan = plan_of(AnimateOptions(), 24, 512 * 512, 7735)
    really = taking(plan, 3)
    really["load"] = 1e-3
    assert worst([entry for entry in told(plan, really) if entry[0] > 0.25]) < 2
