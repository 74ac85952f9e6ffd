"""A backend that may have too little memory says so to each request, and its connection lives."""

from __future__ import annotations

import shlex
import sys

import pytest

from motion324.client import Client, start_server
from motion324.core.errors import Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.wire.protocol import AnimateRequest, ExamineRequest


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ulimit -v is heeded on Linux alone")
@pytest.mark.parametrize("megabytes", [400, 550, 700, 1000])
def test_every_request_is_answered_in_one_sentence_and_the_connection_lives(tmp_path, box, sliding_square, megabytes):
    limited = tmp_path / "python"
    command = shlex.quote(sys.executable)
    limited.write_text(f'#!/bin/sh\nulimit -v {megabytes * 10**6 // 1024}\nexec {command} "$@"\n')
    limited.chmod(0o755)
    requests = (
        ExamineRequest(video=sliding_square),
        AnimateRequest.of(box, sliding_square, AnimateOptions()),
        AnimateRequest.of(box, sliding_square, AnimateOptions(mask="rembg")),
    )
    server = start_server(limited, log_path=tmp_path / "log.txt")
    try:
        client = Client.connect(server.endpoint, program="a test")
        for request in requests:
            with pytest.raises(Motion324Error, match="and even a short video needs 1100 MB") as told:
                list(client.animate(request))
            assert (told.value.code, told.value.exit_code) == ("too-little-memory", 7)
        assert client.status().device and client.stands()
        client.close()
    finally:
        server.stop()
