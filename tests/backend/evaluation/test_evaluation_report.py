"""The page opens without a network, in a real browser, and shows what it should."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from urllib.parse import unquote

import cv2
import jinja2
import numpy as np
import pytest
from creature import creature
from small_release import write_frames, write_release

from motion324.core.progress import silent
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.evaluation.evaluate import evaluate
from motion324.evaluation.release import read_release
from motion324.evaluation.report.page import curve, filled, write_report
from motion324.evaluation.report.pictures import draw_panels
from motion324.mesh.files.gltf_writing import write_glb

FACES = creature().faces


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    root = tmp_path_factory.mktemp("report")
    truths = write_release(root / "release", ("near", "far", "lost"), videos=True)
    for name, share in (("near", 0.9), ("far", 0.0)):
        moved = truths[name][:1] + share * (truths[name] - truths[name][:1])
        write_frames(root / "predictions" / name, moved, FACES)
    found = evaluate(root / "release", root / "predictions", samples=1000)
    write_report(root / "run#2 <50%25>.html", found)
    return root / "run#2 <50%25>.html"


def test_page_needs_nothing_but_what_lies_beside_it(report):
    page = report.read_text()
    assert not re.search(r"(src|href)=\"(https?:)?//", page) and "@import" not in page
    sources = [source for source in re.findall(r'src="([^"]+)"', page) if not source.startswith("data:image/jpeg")]
    beside = sorted(unquote(html.unescape(source)) for source in sources)
    assert beside == ["run#2 <50%25>_files/far.webm", "run#2 <50%25>_files/near.webm"]
    assert not any(set("#<> ") & set(source) for source in sources)
    video = cv2.VideoCapture(str(report.with_name("run#2 <50%25>_files") / "far.webm"))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 6
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(12, abs=0.1)


def test_worst_clip_comes_first_and_a_clip_without_scores_is_named(report):
    page = report.read_text()
    order = [page.index(f'<section id="{name}">') for name in ("lost", "far", "near")]
    assert order == sorted(order)
    assert "no prediction of the clip 'lost'" in html.unescape(page)
    assert page.count(", the worst") == 2


def test_browser_shows_pictures_curves_and_a_video_that_plays(report, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium: install the package chromium")
    probe = report.with_name("probe.html")  # the same page, which writes down what the browser made of it
    probe.write_text(
        report.read_text()
        + """<script>
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [720, 240];
        const context = canvas.getContext('2d', {willReadFrequently: true});
        const mixed = (sum, value, index) => (sum * 31 + value * (index % 7)) % 1000003;
        const played = video => new Promise(done => {  // how many pictures of the prediction it shows, until it ends
          const seen = new Set();
          const look = () => {
            context.drawImage(video, 0, 0);
            seen.add(context.getImageData(480, 0, 240, 240).data.reduce(mixed, 7)); };
          const looking = setInterval(look, 20);
          video.onended = () => { clearInterval(looking); done(video.videoWidth === 720 ? seen.size : 0); };
          video.onerror = () => done(0);
          video.loop = false;
          video.play(); });
        Promise.all([...document.querySelectorAll('video')].map(played)).then(counts => {
          const images = [...document.images].filter(i => i.complete && i.naturalWidth > 0).length;
          const lines = [...document.querySelectorAll('svg polyline')].filter(l => l.getBBox().width > 100).length;
          document.title = `seen ${images} ${lines} ${counts.join(' ')}`;
        });</script>"""
    )
    options = [
        "--headless=new",
        "--no-sandbox",
        "--allow-file-access-from-files",  # for the probe, which looks at the videos' pixels
        "--autoplay-policy=no-user-gesture-required",
        "--disable-gpu",
        "--virtual-time-budget=30000",
        "--window-size=1400,2400",
    ]
    options.append(f"--user-data-dir={tmp_path / 'profile'}")
    dom = subprocess.run([browser, *options, "--dump-dom", probe.as_uri()], capture_output=True, text=True, timeout=120)
    seen = re.search(r"<title>seen (\d+) (\d+) (\d+) (\d+)</title>", dom.stdout)
    assert seen, dom.stderr[-500:]
    images, lines, *frames = map(int, seen.groups())
    assert images == 10 and lines >= 12
    assert min(frames) >= 5  # each video has six
    picture = tmp_path / "page.png"
    subprocess.run([browser, *options, f"--screenshot={picture}", report.as_uri()], capture_output=True, timeout=120)
    image = cv2.imread(str(picture))
    assert image.shape == (2400, 1400, 3)
    dark_or_coloured = (image.max(axis=2).astype(int) - image.min(axis=2) > 40).mean()
    assert 0.005 < dark_or_coloured < 0.5  # curves, warnings and coloured meshes on a white page


def test_result_from_a_video_alone_has_the_colours_of_its_own_mesh(tmp_path):
    truths = write_release(tmp_path / "release", ("one",), videos=True)
    folder = tmp_path / "predictions" / "one"
    folder.mkdir(parents=True)
    faces = FACES[::2]  # another mesh than the truth's
    np.savez(
        folder / "trajectory.npz", positions=truths["one"].astype(np.float32), faces=faces, fps=np.float64(12),
        frame_numbers=np.arange(len(truths["one"])), view_rotation=np.eye(3), view_translation=np.zeros(3),
        view_focal=np.float64(1), view_centre=np.full(2, 0.5),
    )  # fmt: skip
    green = Material(base_colour=(0.05, 0.9, 0.05, 1.0))
    write_glb(
        folder / "mesh.glb",
        ReferenceMesh(truths["one"][0].astype(np.float32), faces, np.zeros(len(faces), np.int32), (green,)),
    )
    (result,) = evaluate(tmp_path / "release", tmp_path / "predictions", samples=300, alignment="none").clips
    panels = draw_panels(read_release(tmp_path / "release")[0], result, None, silent)
    shown = panels.prediction[0][panels.prediction[0].min(axis=2) < 250].astype(int)
    greener = shown[:, 1] - shown[:, [0, 2]].max(axis=1)
    assert len(shown) > 500 and np.median(greener) > 60
    truth = panels.truth[0][panels.truth[0].min(axis=2) < 250].astype(int)
    assert np.median(truth[:, 1] - truth[:, [0, 2]].max(axis=1)) < 20


def test_what_stands_in_a_template_is_escaped():
    page = filled("base.html", title="</title><script>alert('1')</script>&")
    assert "<script>" not in page and page.count("&lt;script&gt;alert(&#39;1&#39;)") == 2
    with pytest.raises(jinja2.UndefinedError, match="title"):
        filled("base.html")


def test_curve_marks_its_worst_frame_and_leaves_gaps():
    drawn = curve("a < b", [np.nan, 1.0, 2.0, np.nan, 0.5], worst=2)
    assert "a &lt; b" in drawn
    assert drawn.count("<polyline") == 1 and 'class="dot"' in drawn and 'class="worst"' in drawn
    assert "nan" not in drawn
