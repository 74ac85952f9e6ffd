"""Every attention kernel that this machine has computes attention; the choice among them is sound."""

from __future__ import annotations

import logging
import math

import pytest

torch = pytest.importorskip("torch", reason="the motion transformer needs PyTorch, which is not installed here")

from motion324.core.errors import Motion324Error  # noqa: E402
from motion324.core.options.animate_options import ATTENTION_CHOICES  # noqa: E402
from motion324.reconstructors.motion_transformer import attention as choice  # noqa: E402
from motion324.reconstructors.motion_transformer import fused  # noqa: E402
from motion324.reconstructors.motion_transformer.attention import OURS, Attention  # noqa: E402
from motion324.reconstructors.motion_transformer.attention_backends import Shape, shape_of  # noqa: E402
from motion324.reconstructors.motion_transformer.attention_kernels import KERNELS, Kernel, _runs, counted  # noqa: E402
from motion324.reconstructors.motion_transformer.blocks import SelfAttention  # noqa: E402

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
# Rounding of the probabilities and of the result to the inputs' type: 2^-8 for bfloat16, 2^-11 for float16.
TOLERANCE = {torch.bfloat16: 8e-3, torch.float16: 1e-3, torch.float32: 1e-5, torch.float64: 1e-12}


def exact_attention(q, k, v):
    """In float64, spelled out. (B, L, H, e)."""
    q, k, v = (x.double().transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    return (scores.softmax(dim=-1) @ v).transpose(1, 2)


def relative(found, exact) -> float:
    return float((found.double() - exact).norm() / exact.norm())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize(
    ("batch", "queries", "keys"), [(1, 700, 700), (3, 324, 324), (5, 1000, 64), (1, 64, 2000), (2, 130, 7)]
)
def test_every_installed_kernel_agrees_with_float64(device, dtype, batch, queries, keys):
    torch.manual_seed(0)
    packed = torch.randn(batch, max(queries, keys), 3, 3, 64, device=device, dtype=dtype)
    q, k, v = packed[:, :queries, 0], packed[:, :keys, 1], packed[:, :keys, 2]
    exact = exact_attention(q, k, v)
    tried = []
    for kernel in KERNELS.values():
        if kernel.supports(shape_of(q, k)):
            tried.append(kernel.name)
            with torch.no_grad():
                out = kernel.run(q, k, v)
            assert out.shape == q.shape
            assert relative(out, exact) < TOLERANCE[dtype], kernel.name
    assert "math" in tried


@pytest.mark.parametrize("device", DEVICES)
def test_one_query_batch_may_serve_many_frames(device):
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    q = torch.randn(600, 12, 64, device=device, dtype=dtype)[None].expand(4, -1, -1, -1)
    k, v = (torch.randn(4, 64, 12, 64, device=device, dtype=dtype) for _ in range(2))
    for kernel in KERNELS.values():
        if kernel.supports(shape_of(q, k)):
            assert relative(kernel.run(q, k, v), exact_attention(q, k, v)) < TOLERANCE[dtype], kernel.name


def test_float64_is_exact():
    q, k, v = (torch.randn(2, 40, 2, 16, dtype=torch.float64) for _ in range(3))
    assert relative(Attention()(q, k, v), exact_attention(q, k, v)) < TOLERANCE[torch.float64]


def test_long_sequences_go_through_the_math_kernel_in_steps(monkeypatch):
    monkeypatch.setattr("motion324.reconstructors.motion_transformer.attention_backends.MATH_SCORES", 5000)
    q, k, v = (torch.randn(1, 333, 2, 16, dtype=torch.float64) for _ in range(3))
    assert relative(Attention("math")(q, k, v), exact_attention(q, k, v)) < TOLERANCE[torch.float64]


def test_gradients_flow_where_they_are_wanted():
    q, k, v = (torch.randn(1, 20, 2, 16, dtype=torch.float64, requires_grad=True) for _ in range(3))
    Attention()(q, k, v).square().sum().backward()
    found = q.grad.clone()
    q.grad = None
    exact_attention(q, k, v).square().sum().backward()
    assert torch.allclose(found, q.grad)


def test_the_choice_is_logged_once(caplog):
    q = torch.randn(1, 20, 2, 16)
    attend = Attention()
    with caplog.at_level(logging.INFO):
        attend(q, q, q)
        attend(q, q, q)
    lines = [record.getMessage() for record in caplog.records if "Attention (" in record.getMessage()]
    assert len(lines) == 1
    assert "cpu" in lines[0]
    assert "float32" in lines[0]


def test_an_unknown_kernel_is_refused_with_the_known_ones():
    with pytest.raises(Motion324Error) as refused:
        Attention("fastest")
    assert all(name in str(refused.value) for name in ATTENTION_CHOICES)


def test_the_options_know_every_kernel_and_family():
    offered = {kernel for kernel in KERNELS.values() if kernel.name not in OURS}
    families = {kernel.family for kernel in offered}
    assert set(ATTENTION_CHOICES) == {"auto", *(kernel.name for kernel in offered), *families}


@pytest.mark.parametrize("name", ["flash-attn", "flash-attn-3", "xformers", "cudnn"])
def test_a_forced_kernel_that_cannot_run_here_is_a_clear_error(name):
    shape = Shape(torch.device("cpu"), torch.float32, 1, 10, 10, 2, 64)
    with pytest.raises(Motion324Error) as refused:
        Attention(name).kernel_for(shape)
    assert refused.value.code == "attention-unavailable"
    assert name in refused.value.sentence


def test_a_kernel_that_breaks_is_dropped_with_a_warning(monkeypatch, caplog):
    def broken(q, k, v):
        raise RuntimeError("undefined symbol: something")

    monkeypatch.setitem(KERNELS, "flash", Kernel("flash", "sdpa", lambda shape: True, broken))
    monkeypatch.setitem(choice.OTHERS, "short", ("flash", "math"))
    q = torch.randn(1, 20, 2, 16, dtype=torch.float64)
    attend = Attention()
    assert relative(attend(q, q, q), exact_attention(q, q, q)) < 1e-12
    assert "flash fails" in caplog.text
    assert attend.kernel_for(shape_of(q, q)) == "math"
    with pytest.raises(Motion324Error, match="undefined symbol"):
        Attention("flash")(q, q, q)


def test_running_out_of_memory_is_not_taken_for_a_broken_kernel(monkeypatch):
    def full(q, k, v):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setitem(KERNELS, "flash", Kernel("flash", "sdpa", lambda shape: True, full))
    monkeypatch.setitem(choice.OTHERS, "short", ("flash", "math"))
    q = torch.randn(1, 20, 2, 16)
    with pytest.raises(torch.OutOfMemoryError):
        Attention()(q, q, q)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_keys_may_count_several_times(device, dtype):
    """For every kernel that tells its sums, as if the keys stood there so often."""
    torch.manual_seed(1)
    counts = torch.tensor([4, 1, 7])
    q, k, v = (torch.randn(1, 300, 3, 64, device=device, dtype=dtype) for _ in range(3))
    order = torch.cat([torch.arange(3).repeat_interleave(counts), torch.arange(3, 300)]).to(device)
    exact = exact_attention(q, k[:, order], v[:, order])
    log_counts = counts.log().to(device)
    tried = []
    for kernel in KERNELS.values():
        if kernel.gives_sums(shape_of(q, k)):
            tried.append(kernel.name)
            with torch.no_grad():
                assert relative(counted(kernel.with_sums, q, k, v, log_counts), exact) < TOLERANCE[dtype], kernel.name
    assert {"math", "flash"} <= set(tried) or device == "cuda"
    assert {"math", "efficient"} <= set(tried) or device == "cpu"
    with torch.no_grad():
        assert relative(Attention().counted(q, k, v, log_counts), exact) < TOLERANCE[dtype]


@pytest.mark.parametrize(("weight", "bounded"), [(1.0, True), (2.9, True), (3.1, False)])
def test_the_norms_of_the_heads_say_whether_scores_are_bounded(weight, bounded):
    block = SelfAttention(128, 64)
    block.q_norm.weight.data.fill_(weight)
    block.k_norm.weight.data.fill_(-weight)
    block.prepare_for_inference()
    assert block.bounded == bounded
    x = torch.randn(2, 30, 128) * 100
    q, k = (
        fused.head_norm(x.view(60, 1, 2, 64), norm.weight[None]).view(2, 30, 2, 64)
        for norm in (block.q_norm, block.k_norm)
    )
    largest = (q.transpose(1, 2) @ k.permute(0, 2, 3, 1)).abs().max() / 8 * math.log2(math.e)
    assert largest <= weight**2 * 8 * math.log2(math.e) * 1.0001
    assert not bounded or largest <= fused.MOST_SCORE


def test_bounded_scores_change_nothing_where_no_kernel_needs_them():
    q, k, v = (torch.randn(1, 50, 2, 64) for _ in range(3))
    assert torch.equal(Attention()(q, k, v, bounded=True), Attention()(q, k, v))


@pytest.mark.parametrize(("wrong", "used"), [(0.0, True), (0.5, False)])
def test_a_kernel_that_computes_something_else_is_not_used(monkeypatch, caplog, wrong, used):
    kernel = Kernel("odd", "odd", lambda shape: True, lambda q, k, v: exact_attention(q, k, v) + wrong, tried=True)
    monkeypatch.setitem(KERNELS, "odd", kernel)
    _runs.cache_clear()
    q = torch.randn(1, 20, 2, 16)
    assert kernel.supports(shape_of(q, q)) is used
    assert ("computes something else" in caplog.text) is not used
    _runs.cache_clear()
