"""DreamSim and CLIP similarity by the real packages, with small random weights: they run where the extra `evaluate` is
installed, without a network."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading

import numpy as np
import pytest

from motion324.cli.main import main
from motion324.core.errors import EXIT_BACKEND, EXIT_OK, EXIT_USAGE, Motion324Error
from motion324.evaluation.video.judging_networks import ClipSimilarity, DreamSim
from motion324.weights.metric_networks import DREAMSIM, clip_network

# A torchvision that does not belong to the installed torch raises a RuntimeError.
torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip", exc_type=(ImportError, RuntimeError))

MODEL = "ViT-B-32"
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture
def pictures():
    y, x = np.mgrid[:48, :48]
    first = np.stack([x * 5, y * 5, (x + y) * 2], axis=-1).astype(np.uint8)
    return np.stack([first, first[::-1], 255 - first])


@pytest.fixture
def tiny_clip(monkeypatch, tmp_path):
    """OpenCLIP's own ViT-B-32, made tiny; the weights that it should get from the hub."""
    import safetensors.torch

    monkeypatch.setenv("MOTION324_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, MODEL, TINY)
    torch.manual_seed(0)
    model = open_clip.create_model(MODEL).eval()
    return model, safetensors.torch.save(dict(model.state_dict()))


@pytest.fixture
def hub(monkeypatch, tmp_path, tiny_clip):
    """A stand-in of the Hugging Face hub that has those weights only. -> the paths that it was asked for."""
    config = open_clip.get_pretrained_cfg(MODEL, "laion2b_s34b_b79k")
    path = f"/{config['hf_hub']}resolve/main/open_clip_model.safetensors"
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            asked.append(self.path)
            body = tiny_clip[1] if self.path == path else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", "1" * 40)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    constants = pytest.importorskip("huggingface_hub.constants")
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}", raising=False
    )
    yield asked
    server.shutdown()
    server.server_close()


def test_clip_is_fetched_once_and_judges_as_the_package_does(tiny_clip, hub, pictures, capsys):
    with pytest.raises(Motion324Error, match="weights download clip:ViT-B-32"):
        ClipSimilarity(model=MODEL)
    assert main(["weights", "download", f"clip:{MODEL}"]) == EXIT_USAGE  # nobody there who could agree
    assert "605 MB" in capsys.readouterr().err and not hub
    assert main(["weights", "download", f"clip:{MODEL}", "--accept-licence", "--json"]) == EXIT_OK
    assert json.loads(capsys.readouterr().out)["path"] == str(clip_network(MODEL).folder)
    asked = len(hub)
    judge = ClipSimilarity(model=MODEL)
    assert len(hub) == asked  # what is there needs no network
    np.testing.assert_allclose(judge.similarities(pictures, pictures), 1, atol=1e-6)
    mean, std = np.array([[0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]])
    squares = pictures[:, :32, :32]  # of the model's own size, so that nothing is resized
    batch = torch.as_tensor(((squares / 255 - mean) / std).transpose(0, 3, 1, 2), dtype=torch.float32)
    with torch.inference_mode():
        features = tiny_clip[0].encode_image(batch)
        known = torch.nn.functional.cosine_similarity(features[:2], features[1:]).numpy()
    np.testing.assert_allclose(judge.similarities(squares[:2], squares[1:]), known, atol=1e-5)


def test_weights_that_do_not_fit_are_named(tiny_clip, monkeypatch):
    network = clip_network(MODEL)
    network.folder.mkdir(parents=True)
    (network.folder / "weights.safetensors").write_bytes(tiny_clip[1][:-100])
    network.record.write_text(json.dumps({"file": "weights.safetensors"}))
    with pytest.raises(Motion324Error, match="could not be loaded") as found:
        ClipSimilarity(model=MODEL)
    assert found.value.code == "metric-not-loaded" and str(network.folder) in found.value.hint


def test_dreamsim_that_cannot_be_fetched_leaves_nothing_half_done(monkeypatch, tmp_path, capsys):
    pytest.importorskip("dreamsim", exc_type=(ImportError, RuntimeError))
    monkeypatch.setenv("MOTION324_WEIGHTS", str(tmp_path / "weights"))

    def unreachable(url: str, dst: str, *more: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(Motion324Error, match="weights download dreamsim"):
        DreamSim()
    assert main(["weights", "download", "dreamsim", "--accept-licence"]) == EXIT_BACKEND
    said = capsys.readouterr()
    assert "no route to host" in said.err and not said.out
    assert not DREAMSIM.folder.exists()
