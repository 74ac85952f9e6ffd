"""The fused kernels compute what their plain twins do. They run on CUDA alone, so without it this file skips."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the motion transformer needs PyTorch, which is not installed here")

from motion324.reconstructors.motion_transformer import fused  # noqa: E402
from motion324.reconstructors.motion_transformer.attention_backends import math_with_sums  # noqa: E402

if not torch.cuda.is_available() or not fused.triton_works():
    pytest.skip("fused kernels need a CUDA GPU and Triton", allow_module_level=True)


def relative(found, exact) -> float:
    return float((found.double() - exact.double()).norm() / exact.double().norm())


@pytest.fixture(autouse=True)
def _inference():
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("width", [96, 768, 1000])
@pytest.mark.parametrize("branches", [0, 1, 2])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_norm_of_sum(width, branches, biased, dtype):
    base = 3.0 + torch.randn(1003, width, device="cuda")
    parts = tuple(torch.randn(1003, width, device="cuda").to(dtype) for _ in range(branches))
    weight = torch.randn(width, device="cuda")
    bias = torch.randn(width, device="cuda") if biased else None
    total, normed = fused.norm_of_sum_plain(
        base.double(), parts, weight.double(), None if bias is None else bias.double(), 1e-5, torch.float64
    )
    found_total, found = fused.norm_of_sum(base.clone(), parts, weight, bias, 1e-5, dtype)
    assert relative(found_total, total) < 1e-6
    assert relative(found, normed) < (5e-7 if dtype == torch.float32 else 3e-3)


def test_norm_of_sum_repeats_its_base_and_leaves_it_alone():
    base = torch.randn(77, 768, device="cuda")
    before = base.clone()
    parts = tuple(torch.randn(5, 77, 768, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    weight = torch.randn(768, device="cuda")
    _, exact = fused.norm_of_sum_plain(base, parts, weight, None, 1e-5, torch.float32)
    _, found = fused.norm_of_sum(base, parts, weight, None, 1e-5, torch.float32, keep_sum=False)
    assert relative(found, exact) < 1e-6
    assert torch.equal(base, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_head_norm_within_packed_rows(dtype):
    packed = torch.randn(501, 3, 12, 64, device="cuda").to(dtype)
    values = packed[:, 2].clone()
    weights = torch.randn(2, 64, device="cuda")
    exact = fused.head_norm_plain(packed[:, :2].double(), weights[:, None].double())
    assert relative(fused.head_norm(packed[:, :2], weights), exact) < (1e-6 if dtype == torch.float32 else 3e-3)
    assert torch.equal(packed[:, 2], values)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("biased", [False, True])
def test_linear_gelu(dtype, biased):
    x = torch.randn(900, 768, device="cuda").to(dtype)
    weight = (torch.randn(3072, 768, device="cuda") / 768**0.5).to(dtype)
    bias = torch.randn(3072, device="cuda").to(dtype) if biased else None
    exact = torch.nn.functional.gelu(
        torch.nn.functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
    )
    assert relative(fused.linear_gelu(x, weight, bias), exact) < (3e-3 if dtype == torch.bfloat16 else 8e-4)


@pytest.mark.parametrize("rows", [1, 31, 4096])
def test_project_to_three(rows):
    x = torch.randn(rows, 768, device="cuda", dtype=torch.bfloat16)
    weight, bias = torch.randn(3, 768, device="cuda"), torch.randn(3, device="cuda")
    exact = fused.project_to_three_plain(x, weight.double(), bias.double())
    assert relative(fused.project_to_three(x, weight, bias), exact) < 1e-6


@pytest.mark.parametrize(("batch", "queries", "keys"), [(1, 1500, 1500), (3, 324, 324), (2, 130, 1100)])
def test_attention_with_bounded_scores_and_its_sums(batch, queries, keys):
    packed = torch.randn(batch, max(queries, keys), 3, 12, 64, device="cuda", dtype=torch.bfloat16)
    fused.head_norm(packed[:, :, :2].flatten(0, 1), torch.ones(2, 64, device="cuda"))
    q, k, v = packed[:, :queries, 0], packed[:, :keys, 1], packed[:, :keys, 2]
    exact, exact_sums = math_with_sums(q.double(), k.double(), v.double())
    found, sums = fused.bounded_with_sums(q, k, v)
    assert relative(found, exact) < 8e-3
    assert (sums - exact_sums).abs().max() < 5e-3
    assert torch.equal(fused.bounded_attention(q, k, v), found)


def test_the_largest_scores_that_are_let_through_do_not_overflow():
    size = (fused.MOST_SCORE / math.log2(math.e) * 8) ** 0.5 / 8
    q = torch.full((1, 4096, 1, 64), size, device="cuda", dtype=torch.bfloat16)
    v = torch.randn(1, 4096, 1, 64, device="cuda", dtype=torch.bfloat16)
    for sign in (1, -1):
        found, sums = fused.bounded_with_sums(q, sign * q, v)
        assert torch.isfinite(sums).all()
        assert relative(found, v.double().mean(dim=1, keepdim=True).expand_as(v)) < 0.05
