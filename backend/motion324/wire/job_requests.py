"""What a client may ask a backend to work on; each has a job id, and names a video and options."""

from __future__ import annotations

from motion324.wire.animate_messages import AnimateRequest
from motion324.wire.examine_messages import ExamineRequest
from motion324.wire.mesh_messages import MeshRequest

JobRequest = AnimateRequest | ExamineRequest | MeshRequest
