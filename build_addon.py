"""Builds the Blender extension: `python build_addon.py` prints the path of the zip as its last line.

It builds the `motion324` wheel from backend/, collects the wheels that wheels/lock.toml names for the platform, stages
them with the add-on's code, and has Blender's own tool build and validate the zip. That tool is found in the `bpy`
wheel of this Python or of .venv-blender, or in the Blender that --blender names or that lies on the PATH.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from build_pages import build_pages

ROOT = Path(__file__).resolve().parent
PLATFORMS = {
    # Blender's name: the tags that pip accepts for it
    "linux-x64": ("manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_11_0_arm64",),
    "macos-x64": ("macosx_10_12_x86_64",),
}
EXAMPLE = ("shiba.glb", "shiba.mp4")  # that Load Example brings
PYTHON_OF_BLENDER = "3.11"  # the oldest one among the Blenders that the manifest allows; abi3 wheels serve newer ones


class BuildError(Exception):
    """One sentence about what went wrong, with the remedy."""


def main() -> int:
    arguments = parse_arguments()
    try:
        version = check_versions()
        tool = find_extension_tool(arguments.blender)
        names = list(PLATFORMS) if arguments.all else arguments.platform or [current_platform()]
        with tempfile.TemporaryDirectory(prefix="motion324-build-") as scratch:
            own_wheel = build_own_wheel(Path(scratch) / "own")
            for name in names:
                wheels = [own_wheel, *locked_wheels(name)]
                tools = locked_wheels(name, "tool")
                stage = stage_extension(Path(scratch) / name, name, wheels, tools, arguments.website)
                zip_path = arguments.output / f"motion324-{version}-{name.replace('-', '_')}.zip"
                build_and_validate(tool, stage, zip_path)
                print(zip_path)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--platform",
        action="append",
        choices=list(PLATFORMS),
        help="may be given more than once; default: this machine's",
    )
    parser.add_argument("--all", action="store_true", help="one zip for each platform")
    parser.add_argument("--blender", type=Path, help="the Blender executable whose extension tool builds the zip")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder of the zips (default: dist/)")
    parser.add_argument(
        "--website", default="", help="the address of whoever publishes the zip, which Blender's preferences link to"
    )
    arguments = parser.parse_args()
    if arguments.website and not arguments.website.startswith(("https://", "http://")):
        parser.error(f"--website {arguments.website}: an address begins with https://")
    arguments.output = arguments.output.resolve()
    return arguments


def check_versions() -> str:
    """The version that the manifest and the backend share."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))["version"]
    source = (ROOT / "backend/motion324/__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    if found is None or found[1] != manifest:
        backend = found[1] if found else "none"
        raise BuildError(f"blender_manifest.toml has version {manifest}, but motion324 has {backend}: make them equal.")
    return manifest


def current_platform() -> str:
    system = {"Linux": "linux", "Windows": "windows", "Darwin": "macos"}.get(platform.system(), "unknown")
    machine = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}.get(
        platform.machine().lower(), "unknown"
    )
    name = f"{system}-{machine}"
    if name not in PLATFORMS:
        raise BuildError(f"There is no extension for {name}; choose one with --platform: {', '.join(PLATFORMS)}.")
    return name


def find_extension_tool(blender: Path | None) -> list[str]:
    """The command that takes `build` and `validate`: Blender's own, or the script that Blender runs for it."""
    if blender is not None:
        if not blender.is_file():
            raise BuildError(f"There is no Blender at {blender}: give the path of the executable.")
        return [str(blender), "--background", "--factory-startup", "--command", "extension"]
    spec = importlib.util.find_spec("bpy")
    folders = [Path(spec.origin).parent] if spec and spec.origin else []
    folders += sorted((ROOT / ".venv-blender").glob("[lL]ib/**/site-packages/bpy"))
    for folder in folders:
        for script in sorted(folder.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py")):
            return [sys.executable, str(script)]
    on_path = shutil.which("blender")
    if on_path:
        return [on_path, "--background", "--factory-startup", "--command", "extension"]
    raise BuildError(
        "No Blender was found: install its wheel with `pip install bpy`, or name an executable with --blender."
    )


def build_own_wheel(folder: Path) -> Path:
    """Builds backend/ from a clean copy, so that no file of an earlier build gets in."""
    source = folder / "source"
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT / "backend", source, ignore=ignore)
    run_pip(["wheel", "--no-deps", "--wheel-dir", str(folder), str(source)], "the wheel of backend/ could not be built")
    return next(folder.glob("motion324-*.whl"))


def locked_wheels(name: str, kind: str = "wheel") -> list[Path]:
    """The third-party wheels of a platform, fetched where they are missing, each compared with its hash.

    kind: "wheel" for those that Blender installs, "tool" for those that the extension runs.
    """
    entries = tomllib.loads((ROOT / "wheels/lock.toml").read_text("utf-8"))[kind]
    paths = []
    for entry in (entry for entry in entries if name in entry["platforms"]):
        path = ROOT / "wheels" / entry["file"]
        if not path.exists():
            fetch(entry["requirement"], name, path)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != entry["sha256"]:
            raise BuildError(
                f"wheels/{path.name} has the sha256 {found}, not that of wheels/lock.toml: remove it and try again."
            )
        paths.append(path)
    return paths


def fetch(requirement: str, name: str, path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="motion324-wheels-") as scratch:
        tags = [part for tag in PLATFORMS[name] for part in ("--platform", tag)]
        command = ["download", "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON_OF_BLENDER]
        run_pip([*command, *tags, "--dest", scratch, requirement], f"{requirement} for {name} could not be fetched")
        got = [entry.name for entry in Path(scratch).iterdir()]
        if path.name not in got:
            raise BuildError(f"pip brought {', '.join(got)} instead of {path.name}: bring wheels/lock.toml up to date.")
        aside = path.with_suffix(f".{os.getpid()}.unfinished")
        shutil.copyfile(Path(scratch) / path.name, aside)
        aside.replace(path)


def run_pip(arguments: list[str], failure: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise BuildError(f"{failure[:1].upper()}{failure[1:]}; pip says:\n" + "\n".join(lines[-15:]))


def stage_extension(stage: Path, name: str, wheels: list[Path], tools: list[Path], website: str = "") -> Path:
    """Lays out the extension's folder: the add-on's code, the licence, the wheels, and a manifest that lists them.

    website: an address that the manifest names; "" for none. The tools are files among others for Blender;
    motion324_addon/installation looks for them in its folder pip/.
    """
    shutil.copytree(ROOT / "motion324_addon", stage, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    if (ROOT / "LICENSE.md").exists():
        shutil.copyfile(ROOT / "LICENSE.md", stage / "LICENSE.md")
    (stage / "example").mkdir()
    for example in EXAMPLE:
        shutil.copyfile(ROOT / "examples" / example, stage / "example" / example)
    build_pages(ROOT / "docs", stage / "docs")
    (stage / "wheels").mkdir()
    for wheel in wheels:
        shutil.copyfile(wheel, stage / "wheels" / wheel.name)
    (stage / "installation/pip").mkdir(parents=True)
    for tool in tools:
        shutil.copyfile(tool, stage / "installation/pip" / tool.name)
    listed = "".join(f'    "./wheels/{wheel.name}",\n' for wheel in wheels)
    manifest = (ROOT / "blender_manifest.toml").read_text("utf-8")
    head, mark, tail = manifest.partition("[permissions]")
    lists = f'platforms = ["{name}"]\nwheels = [\n{listed}]\n\n'
    if website:
        lists = f"website = {json.dumps(website)}\n" + lists
    (stage / "blender_manifest.toml").write_text(head + lists + mark + tail, "utf-8")
    return stage


def build_and_validate(tool: list[str], stage: Path, zip_path: Path) -> None:
    zip_path.parent.mkdir(parents=True, exist_ok=True)
    aside = zip_path.with_name(f".{zip_path.stem}.{os.getpid()}.zip")
    try:
        run_tool([*tool, "build", "--source-dir", str(stage), "--output-filepath", str(aside)], "build")
        run_tool([*tool, "validate", str(aside)], "validate")
        aside.replace(zip_path)
    finally:
        aside.unlink(missing_ok=True)


def run_tool(command: list[str], verb: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildError(
            f"Blender's extension tool refused to {verb} the extension:\n{done.stdout}{done.stderr}".strip()
        )


if __name__ == "__main__":
    sys.exit(main())
