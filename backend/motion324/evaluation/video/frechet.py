"""The Frechet distance between two sets of features, as two normal distributions."""

from __future__ import annotations

import numpy as np


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """a (M, D) and b (N, D), two rows each at least -> |mean - mean|^2 + trace(A + B - 2 (A B)^(1/2)).

    The root's trace comes from eigenvalues, so that fewer rows than dimensions, which make the covariances singular, do
    no harm. T. Unterthiner et al., Towards Accurate Generative Models of Video (2018).
    """
    middle = a.mean(axis=0) - b.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    product = np.linalg.eigvalsh(root @ second @ root)
    trace = np.trace(first) + np.trace(second) - 2 * np.sqrt(np.maximum(product, 0)).sum()
    return float(middle @ middle + max(trace, 0.0))
