"""An option is declared once: one more field is a flag, a key of job lists, and a field on the wire; README's tables
name the flags that there are.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from motion324.cli.main import build_parser
from motion324.cli.option_flags import add_flags, chosen_of
from motion324.core.errors import Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings

README = Path(__file__).resolve().parents[3] / "README.md"

# The only edit is the field; all that follows takes the options as they are declared.
ONE_MORE = """
from dataclasses import dataclass
from motion324.core.options import animate_options as options
from motion324.core.options.option_spec import Flag, option

@dataclass(frozen=True)
class Wider(options.AnimateOptions):
    stiffness: float = option(0.25, "how little limbs bend", low=0, high=2, flag=Flag(metavar="K"))

options.AnimateOptions = Wider
"""
USES = """
import json, sys
from pathlib import Path
from fake_reconstructor import FakeReconstructor, fake_find_view
from wire_harness import tetrahedron
from motion324.batches.items import listed_items
from motion324.cli.main import main
from motion324.core.errors import Motion324Error
from motion324.pipeline import animate as pipeline
from motion324.wire import protocol

folder = Path(sys.argv[1])
asked = []

def reconstructor_for(options, progress):
    asked.append(options.stiffness)
    return FakeReconstructor()

pipeline.get_reconstructor, pipeline.find_view = reconstructor_for, fake_find_view()
command = ["animate", str(folder / "box.obj"), str(folder / "slide"), "-o", str(folder / "out")]
codes = [main([*command, *more]) for more in ([], ["--stiffness", "1.5"], ["--stiffness", "3"])]

def over_the_wire(**options):
    header, arrays = protocol.to_wire(protocol.AnimateRequest.of(tetrahedron(), Path("/v.mp4"), Wider(**options)))
    try:
        return protocol.from_wire(json.loads(json.dumps(header)), arrays).options.stiffness
    except Motion324Error as error:
        return error.sentence

items = listed_items(folder / "list.jsonl", Wider(stiffness=1.0))
report = json.loads((folder / "out" / "report.json").read_text())
print(json.dumps({
    "codes": codes, "asked": asked, "report": report["options"]["stiffness"],
    "wire": [over_the_wire(stiffness=1.75), over_the_wire(stiffness=9.0)],
    "list": [item.options.stiffness for item in items],
    "fingerprint": items[0].fingerprint()["options"]["stiffness"],
}))
"""


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_one_more_field_is_an_option_everywhere(files):
    lines = ('{"mesh": "box.obj", "video": "slide", "name": "a"}',
             '{"mesh": "box.obj", "video": "slide", "name": "b", "options": {"stiffness": 0.5}}')  # fmt: skip
    (files / "list.jsonl").write_text("\n".join(lines))
    done = run(ONE_MORE + USES, str(files))
    assert done.returncode == 0, done.stderr
    refused = "The option stiffness is {}; it must lie between 0 and 2."
    assert refused.format("3") in done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "codes": [0, 0, 2],
        "asked": [0.25, 1.5],
        "report": 1.5,
        "wire": [1.75, refused.format("9")],
        "list": [1.0, 0.5],
        "fingerprint": 1.0,
    }


@pytest.mark.parametrize("command", ["animate", "from-video", "batch"])
def test_one_more_field_is_a_flag_with_help_of_every_command_that_animates(command):
    done = run(ONE_MORE + f"from motion324.cli.main import main\nmain(['{command}', '--help'])")
    assert "--stiffness K" in done.stdout
    assert "how little limbs bend; default: 0.25" in " ".join(done.stdout.split())


def flags_of(command: str) -> set[str]:
    commands = next(
        action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    ).choices
    actions = commands[command]._actions
    return {flag for action in actions for flag in action.option_strings if flag.startswith("--")} - {"--help"}


def test_the_tables_of_animates_options_in_the_readme_name_the_flags_that_there_are():
    tables = re.findall(r"^\| option of `animate` \|.*\n(?:\|.*\n)+", README.read_text("utf-8"), re.MULTILINE)
    assert len(tables) == 2
    first_cells = [line.split(" | ")[0] for table in tables for line in table.splitlines()[2:]]
    assert set(re.findall(r"--[\w-]+", " ".join(first_cells))) == flags_of("animate")


def test_the_readme_names_every_flag_that_makes_a_mesh_and_examine_has_those_of_a_look():
    text = README.read_text("utf-8")
    meshes = {spec.flag_name for spec in MeshSettings.specs().values() if spec.flag is not None}
    assert {flag for flag in meshes if flag not in text} == set()
    assert meshes <= flags_of("from-video") and meshes <= flags_of("batch")
    looks = {spec.flag_name for spec in AnimateOptions.specs().values() if spec.in_looks}
    assert looks == {"--frames", "--video-fps", "--mask", "--view", "--camera"}
    assert looks == flags_of("examine") - {"--mesh", "--output", "--blender", "--json"}


def test_what_is_not_given_is_the_default_and_a_flag_can_switch_off():
    parser = argparse.ArgumentParser()
    add_flags(parser, MeshSettings)
    assert chosen_of(parser.parse_args([]), MeshSettings) == MeshSettings()
    given = parser.parse_args(["--no-mesh-texture", "--mesh-provider", "file", "--mesh-file", "my 50 % fox.glb"])
    chosen = chosen_of(given, MeshSettings, more={"seed": "7"})
    assert chosen == MeshSettings("file", Path("my 50 % fox.glb"), texture=False, seed=7)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--mesh-faces", "3"], "The option mesh-faces is 3; it must lie between 500 and 10000000."),
        (["--hunyuan-time-limit", "0"], "The option hunyuan-time-limit is 0; it must be above 0 and at most 604800."),
        (["--mesh-provider", "file"], "The option mesh-provider is file, but no file is given; name it with "
                                      "--mesh-file."),
        (["--mesh-provider", "magic"], "The option mesh-provider is 'magic'; it must be one of inflate, hunyuan3d, "
                                       "hunyuan3d-server, file."),
    ],
)  # fmt: skip
def test_wrong_values_are_told_by_their_flags(flags, sentence):
    parser = argparse.ArgumentParser()
    add_flags(parser, MeshSettings)
    with pytest.raises(Motion324Error) as refused:
        chosen_of(parser.parse_args(flags), MeshSettings)
    assert refused.value.sentence == sentence
