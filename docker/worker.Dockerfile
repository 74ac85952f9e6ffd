# A machine of a Ray cluster that does items of `motion324 batch --ray`. At the top of the checkout:
#
#     docker build -f docker/worker.Dockerfile -t motion324-worker .
#     docker run --rm --network host --shm-size 2g motion324-worker --address HEAD:6379
#
# The versions of Python and Ray have to be those of the machine where the batch is started. With
# `--target with-blender` the worker does items that need Blender, too (a Python with bpy, 450 MB more, x86 only).
FROM python:3.11-slim-bookworm AS base

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN useradd --create-home --uid 1000 worker
ARG EXTRAS=cluster
COPY backend /tmp/backend
RUN pip install --no-cache-dir "/tmp/backend[${EXTRAS}]" && rm -rf /tmp/backend
WORKDIR /home/worker
# Where compiled loops of the fit are kept.
ENV NUMBA_CACHE_DIR=/home/worker/.cache/numba
ENTRYPOINT ["ray", "start", "--block"]
CMD ["--address", "127.0.0.1:6379"]

FROM base AS with-blender
# What Blender draws and opens files with, without a window.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libegl1=1.* libgl1=1.* libgomp1=12.* libice6=2:* libsm6=2:* libx11-6=2:* libxfixes3=1:* libxi6=2:* \
        libxkbcommon0=1.* libxrender1=1:* libxxf86vm1=1:* \
    && rm -rf /var/lib/apt/lists/*
ARG BPY=4.5.15
RUN python -m venv /opt/blender \
    && /opt/blender/bin/pip install --no-cache-dir "bpy==${BPY}" "safetensors>=0.4"
COPY motion324_addon /opt/motion324/motion324_addon
ENV MOTION324_BLENDER=/opt/blender/bin/python MOTION324_ADDON=/opt/motion324/motion324_addon
USER 1000

FROM base AS worker
USER 1000
