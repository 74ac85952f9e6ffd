"""Has fused kernels for CUDA, in Triton. `fused.py` has their plain twins and decides between the two.

All but bounded_kernel are bound by memory: each reads its inputs once, computes in float32, writes its outputs once.
"""

# mypy: ignore-errors

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["base_rows", "repeats"])
def norm_of_sum_kernel(
    base,
    first,
    second,
    total,
    out,
    weight,
    bias,
    base_rows,
    repeats,
    width,
    eps,
    HAS_FIRST: tl.constexpr,
    HAS_SECOND: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    KEEP_SUM: tl.constexpr,
    REPEATS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One row of `base`, and the rows of the branches that it is repeated for: LayerNorm(base + first + second).

    Row r of base goes with the rows r, r + base_rows, r + 2 base_rows, ... of the branches and of the outputs; REPEATS
    of them are on their way at once.
    """
    base_row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)[None, :]
    real = column < width
    own = tl.load(base + base_row * width + column, mask=real, other=0.0).to(tl.float32)
    scale = tl.load(weight + column, mask=real, other=0.0).to(tl.float32)
    if HAS_BIAS:
        shift = tl.load(bias + column, mask=real, other=0.0).to(tl.float32)
    for start in range(0, repeats, REPEATS):
        repeat = start + tl.arange(0, REPEATS)[:, None]
        inside = real & (repeat < repeats)
        place = (repeat * base_rows + base_row) * width + column
        x = own + tl.zeros((REPEATS, BLOCK), dtype=tl.float32)
        if HAS_FIRST:
            x += tl.load(first + place, mask=inside, other=0.0).to(tl.float32)
        if HAS_SECOND:
            x += tl.load(second + place, mask=inside, other=0.0).to(tl.float32)
        if KEEP_SUM:
            tl.store(total + place, x.to(total.dtype.element_ty), mask=inside)
        mean = tl.sum(x, axis=1)[:, None] / width
        centred = tl.where(real, x - mean, 0.0)
        variance = tl.sum(centred * centred, axis=1)[:, None] / width
        y = centred * tl.rsqrt(variance + eps) * scale
        if HAS_BIAS:
            y += shift
        tl.store(out + place, y.to(out.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["heads_per_weight"])
def head_norm_kernel(
    x,
    weight,
    row_stride,
    heads,
    heads_per_weight,
    width,
    eps,
    HEADS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """One row of `heads` heads, in place: every head over its root mean square, times weight[head // per_weight]."""
    row = tl.program_id(0).to(tl.int64)
    head = tl.arange(0, HEADS)[:, None]
    column = tl.arange(0, WIDTH)[None, :]
    inside = (head < heads) & (column < width)
    place = x + row * row_stride + head * width + column
    value = tl.load(place, mask=inside, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(value * value, axis=1) / width + eps)
    factor = tl.load(weight + (head // heads_per_weight) * width + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(place, (value * scale[:, None] * factor).to(x.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["q_batch", "queries", "keys"])
def few_keys_kernel(
    q,
    k,
    v,
    out,
    log_counts,
    many_sums,
    q_batch,
    q_row,
    q_head,
    k_batch,
    k_row,
    k_head,
    v_batch,
    v_row,
    v_head,
    out_batch,
    out_row,
    out_head,
    queries,
    keys,
    heads,
    scale,
    COUNTED: tl.constexpr,
    WIDTH: tl.constexpr,
    KEYS: tl.constexpr,
    ROWS: tl.constexpr,
    TILES: tl.constexpr,
):
    """TILES times ROWS queries of one head against all keys of their batch entry at once, so without a running maximum.

    `scale` includes log2(e). COUNTED: key r counts exp(log_counts[r]) times, and `out` already holds the result over
    other keys, the logarithms of whose sums are many_sums (B, H, Lq): both are mixed, in place.
    """
    head = tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    key = tl.arange(0, KEYS)
    column = tl.arange(0, WIDTH)
    known = (key < keys)[:, None]
    keyed = tl.load(k + batch * k_batch + head * k_head + key[:, None] * k_row + column[None, :], mask=known, other=0.0)
    v_place = v + batch * v_batch + head * v_head + key[:, None] * v_row + column[None, :]
    values = tl.load(v_place, mask=known, other=0.0)
    if COUNTED:
        more = tl.load(log_counts + key, mask=key < keys, other=0.0).to(tl.float32) * 1.4426950408889634
    for tile in range(TILES):
        row = ((tl.program_id(0) * TILES + tile) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
        wanted = (row < queries)[:, None]
        q_place = q + batch * q_batch + head * q_head + row[:, None] * q_row + column[None, :]
        scores = tl.dot(tl.load(q_place, mask=wanted, other=0.0), tl.trans(keyed)) * scale
        if COUNTED:
            scores += more[None, :]
        scores = tl.where((key < keys)[None, :], scores, float("-inf"))
        peak = tl.max(scores, axis=1)
        share = tl.exp2(scores - peak[:, None])
        total = tl.sum(share, axis=1)
        mixed = tl.dot(share.to(values.dtype), values)
        place = out + batch * out_batch + head * out_head + row[:, None] * out_row + column[None, :]
        if COUNTED:
            sums = many_sums + (batch * heads + head) * queries + row
            other_peak = tl.load(sums, mask=row < queries, other=0.0) * 1.4426950408889634
            top = tl.maximum(peak, other_peak)
            own, other = tl.exp2(peak - top), tl.exp2(other_peak - top)
            many = tl.load(place, mask=wanted, other=0.0).to(tl.float32)
            mixed = (mixed * own[:, None] + many * other[:, None]) / (total * own + other)[:, None]
        else:
            mixed = mixed / total[:, None]
        tl.store(place, mixed.to(out.dtype.element_ty), mask=wanted)


@triton.jit
def bounded_kernel(
    q,
    k,
    v,
    out,
    sums,
    q_batch,
    q_row,
    q_head,
    k_batch,
    k_row,
    k_head,
    v_batch,
    v_row,
    v_head,
    out_batch,
    out_row,
    out_head,
    queries,
    keys,
    heads,
    scale,
    SUMS: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    KEYS: tl.constexpr,
    STAGES: tl.constexpr,
):
    """ROWS queries of one head against all keys, KEYS at a time, where no score can overflow: so there is no running
    maximum to find, and nothing to scale again.

    `scale` includes log2(e). SUMS: also the logarithms of the sums of the exponentials, into sums (B, H, Lq).
    """
    head = tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    wanted = row < queries
    key = tl.arange(0, KEYS)
    column = tl.arange(0, WIDTH)
    q_place = q + batch * q_batch + head * q_head + row[:, None].to(tl.int64) * q_row + column[None, :]
    own = tl.load(q_place, mask=wanted[:, None], other=0.0)
    k_place = k + batch * k_batch + head * k_head + column[:, None] + key[None, :] * k_row
    v_place = v + batch * v_batch + head * v_head + key[:, None] * v_row + column[None, :]
    mixed = tl.zeros((ROWS, WIDTH), dtype=tl.float32)
    total = tl.zeros((ROWS,), dtype=tl.float32)
    whole = keys // KEYS
    for _ in tl.range(0, whole, num_stages=STAGES):
        share = tl.math.exp2(tl.dot(own, tl.load(k_place)) * scale)
        total += tl.sum(share, axis=1)
        mixed = tl.dot(share.to(v.dtype.element_ty), tl.load(v_place), mixed)
        k_place += KEYS * k_row
        v_place += KEYS * v_row
    if whole * KEYS < keys:
        real = whole * KEYS + key < keys
        scores = tl.dot(own, tl.load(k_place, mask=real[None, :], other=0.0)) * scale
        share = tl.where(real[None, :], tl.math.exp2(scores), 0.0)
        total += tl.sum(share, axis=1)
        mixed = tl.dot(share.to(v.dtype.element_ty), tl.load(v_place, mask=real[:, None], other=0.0), mixed)
    place = out + batch * out_batch + head * out_head + row[:, None].to(tl.int64) * out_row + column[None, :]
    tl.store(place, (mixed / total[:, None]).to(out.dtype.element_ty), mask=wanted[:, None])
    if SUMS:
        tl.store(sums + (batch * heads + head) * queries + row, tl.math.log2(total) * 0.6931471805599453, mask=wanted)


@triton.jit(do_not_specialize=["rows"])
def project_to_three_kernel(
    x,
    weight,
    bias,
    out,
    rows,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """ROWS rows of x (rows, width) times weight (3, width), plus bias (3,), summed in float32."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    known = row < rows
    first = tl.zeros((ROWS,), dtype=tl.float32)
    second = tl.zeros((ROWS,), dtype=tl.float32)
    third = tl.zeros((ROWS,), dtype=tl.float32)
    for start in range(0, WIDTH, BLOCK):
        column = start + tl.arange(0, BLOCK)
        inside = column < WIDTH
        tile = tl.load(x + row[:, None] * WIDTH + column[None, :], mask=known[:, None] & inside[None, :], other=0.0)
        tile = tile.to(tl.float32)
        first += tl.sum(tile * tl.load(weight + column, mask=inside, other=0.0)[None, :], axis=1)
        second += tl.sum(tile * tl.load(weight + WIDTH + column, mask=inside, other=0.0)[None, :], axis=1)
        third += tl.sum(tile * tl.load(weight + 2 * WIDTH + column, mask=inside, other=0.0)[None, :], axis=1)
    tl.store(out + row * 3, first + tl.load(bias), mask=known)
    tl.store(out + row * 3 + 1, second + tl.load(bias + 1), mask=known)
    tl.store(out + row * 3 + 2, third + tl.load(bias + 2), mask=known)
