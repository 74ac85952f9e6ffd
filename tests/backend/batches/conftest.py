"""A simulated Ray cluster, for tests of batches on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ray_harness import MEMORY


@pytest.fixture
def cluster(monkeypatch):
    """A head without cores, to which tests add nodes."""
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))  # where workers find the stand-in
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "memory": MEMORY, "include_dashboard": False})
    yield made
    ray.shutdown()
    made.shutdown()
