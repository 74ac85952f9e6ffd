"""Brings samples of a release to the model: read by processes of their own, ahead of time and in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.training.clips.motion_batch import MotionBatch, MotionSample, Shares, as_batch, draws_for, item_for
from motion324.training.clips.release_files import open_files
from motion324.training.clips.release_samples import BrokenSample, read_sample
from motion324.training.shared.config import DataConfig, ReleaseConfig
from motion324.training.shared.processes import Processes

ATTEMPTS = 50  # clips drawn in a row for one sample before the data are given up
MOST_WORKERS = 16
READING_THREADS = 8
MEND = "Mend these clips, or leave them out of the list."


@dataclass(frozen=True)
class _Refusal:
    """Travels from a reading process to the one that trains, where exceptions would lose their fields."""

    sentence: str


class ReleaseDataset(Dataset[MotionSample]):
    """Samples by number. clips: their names. See motion_batch.py for what a number decides."""

    def __init__(self, config: ReleaseConfig, data: DataConfig, clips: list[str], seed: int) -> None:
        self.config, self.data, self.clips, self.seed = config, data, clips, seed
        self.files = open_files(Path(config.path))

    def __getitem__(self, number: int) -> MotionSample:
        """Where the clip of this number is broken, one drawn in its place, which tells of it.

        Raises Motion324Error("samples-broken") where no clip can be used.
        """
        broken: list[str] = []
        for attempt in range(ATTEMPTS):
            draws = draws_for(self.seed, number, attempt)
            item = item_for(self.seed, number, len(self.clips)) if attempt == 0 else draws.integers(len(self.clips))
            try:
                sample = read_sample(self.files, self.clips[item], self.data, self.config, draws)
            except BrokenSample as error:
                broken.append(str(error))
                continue
            return replace(sample, broken=tuple(broken))
        raise samples_broken(f"{ATTEMPTS} clips in a row cannot be used, the last of them {broken[-1]}")


class ReleaseSource:
    """This process's batches from a step on, in order. Close it when done. waited: seconds spent waiting, in all."""

    def __init__(self, dataset: ReleaseDataset, shares: Shares, step: int, processes: Processes) -> None:
        workers = worker_count(dataset.config, processes.count)
        self._device = processes.device
        self._loader = DataLoader(
            _Guarded(dataset),
            batch_sampler=_Numbers(shares, step),
            num_workers=workers,
            collate_fn=_collated,
            pin_memory=self._device.type == "cuda",
            prefetch_factor=dataset.config.ahead if workers else None,
            worker_init_fn=_begin_worker,
            multiprocessing_context=_context() if workers else None,
        )
        self._batches = iter(self._loader)
        self.waited = 0.0

    def next(self) -> MotionBatch:
        """Raises Motion324Error("samples-broken") where no clip can be used."""
        started = time.perf_counter()
        found = next(self._batches)
        self.waited += time.perf_counter() - started
        if isinstance(found, _Refusal):
            raise Motion324Error("samples-broken", found.sentence, MEND, EXIT_USAGE)
        batch: MotionBatch = found
        return batch.to(self._device)

    def close(self) -> None:
        """Ends the reading processes, also one that waits for a disk: at its end Python would wait for it."""
        shut_down = getattr(self._batches, "_shutdown_workers", None)
        if shut_down is not None:
            shut_down()
        for worker in getattr(self._batches, "_workers", ()):
            worker.kill()  # where it still runs: it ignores SIGTERM


def read_release(config: ReleaseConfig, data: DataConfig, list_name: str, seed: int) -> ReleaseDataset:
    """Raises Motion324Error("training-data-missing")."""
    return ReleaseDataset(config, data, open_files(Path(config.path)).clip_list(list_name), seed)


def read_in_order(dataset: ReleaseDataset, numbers: range) -> list[MotionSample]:
    """The samples of these numbers, by threads of this process."""

    def read(number: int) -> MotionSample:
        return ReleaseDataset(dataset.config, dataset.data, dataset.clips, dataset.seed)[number]

    with ThreadPoolExecutor(READING_THREADS) as threads:
        return list(threads.map(read, numbers))


def samples_broken(why: str) -> Motion324Error:
    return Motion324Error(
        "samples-broken", f"Training stops, since too many samples are broken: {why}.", MEND, EXIT_USAGE
    )


def worker_count(config: ReleaseConfig, processes: int) -> int:
    """Reading processes for each training process, which keeps a core for itself."""
    if config.workers >= 0:
        return config.workers
    on_this_machine = int(os.environ.get("LOCAL_WORLD_SIZE", str(processes)))
    return max(1, min(MOST_WORKERS, (os.cpu_count() or 1) // on_this_machine - 1))


class _Guarded(Dataset[MotionSample | _Refusal]):
    def __init__(self, dataset: ReleaseDataset) -> None:
        self._dataset = dataset

    def __getitem__(self, number: int) -> MotionSample | _Refusal:
        try:
            return self._dataset[number]
        except Motion324Error as error:
            return _Refusal(error.sentence)


class _Numbers:
    def __init__(self, shares: Shares, step: int) -> None:
        self._shares, self._step = shares, step

    def __iter__(self) -> Iterator[list[int]]:
        return (list(numbers) for numbers in self._shares.from_step(self._step))


def _collated(samples: list[MotionSample | _Refusal]) -> MotionBatch | _Refusal:
    refused = [sample for sample in samples if isinstance(sample, _Refusal)]
    return refused[0] if refused else as_batch([sample for sample in samples if isinstance(sample, MotionSample)])


def _begin_worker(number: int) -> None:
    """One thread each; and a signal to the whole group is for the process that trains, which ends the others."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def _context() -> multiprocessing.context.BaseContext:
    """Processes that share no thread or GPU state with this one."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["motion324.training.clips.reading_server"])
    return context
