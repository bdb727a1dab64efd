"""Fixed batches on any number of worker processes, with results that do not depend on how many."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from screening.engines import EngineSpec, engine_id, make_engine
from screening.engines.descent.batch import relax_batch
from screening.engines.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from screening.engines import Crystal, Engine
    from screening.engines.descent.options import RelaxOptions
    from screening.schemas.relax import RelaxationDoc

Outcome = list[tuple["Crystal", "RelaxationDoc"]]
"""Final crystals and documents of one batch, in order."""

PR_SET_PDEATHSIG = 1
_engines: dict[tuple[str, str], Engine] = {}


def relax_here(
    batch: Sequence[Crystal], options: RelaxOptions, engine: EngineSpec, device: str
) -> Outcome:
    """Relax one batch in this process, on one thread, and return crystals with documents."""
    source = _engine(engine, device)
    with one_thread():
        docs = relax_batch(batch, options, source)
    return list(zip(batch, docs, strict=True))


def relax_batches(
    batches: Sequence[Sequence[Crystal]],
    options: RelaxOptions,
    engine: EngineSpec,
    device: str,
    processes: int,
) -> Generator[tuple[int, Outcome | None]]:
    """Relax batches, yielding each one's number and outcome as it is done.

    A worker that dies (killed for memory, crashed library) takes the pool with it: what was lost is
    then tried again, each batch in a process of its own. The outcome of a batch that kills even
    that process is None.
    """
    processes = min(processes, len(batches))
    if processes <= 1:
        for index, batch in enumerate(batches):
            yield index, relax_here(batch, options, engine, device)
        return
    left = set(range(len(batches)))
    try:
        with _pool(processes) as pool:
            with _hidden_main():
                jobs = {
                    pool.submit(relax_here, batch, options, engine, device): index
                    for index, batch in enumerate(batches)
                }
            for job in as_completed(jobs):
                outcome = job.result()
                left.discard(jobs[job])
                yield jobs[job], outcome
    except BrokenProcessPool:
        for index in sorted(left):
            yield index, relax_alone(batches[index], options, engine, device)


def relax_alone(
    batch: Sequence[Crystal], options: RelaxOptions, engine: EngineSpec, device: str
) -> Outcome | None:
    """Relax one batch in a process of its own; None when that process dies."""
    with _pool(1) as pool:
        try:
            with _hidden_main():
                job = pool.submit(relax_here, batch, options, engine, device)
            return job.result()
        except BrokenProcessPool:
            return None


def _engine(engine: EngineSpec, device: str) -> Engine:
    """Make each engine once per process."""
    key = (engine_id(engine), device)
    if key not in _engines:
        _engines[key] = make_engine(engine, device)
    return _engines[key]


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Spawn workers (not fork: torch has threads) that die with this process, or with the block."""
    pool = ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=_start_worker,
        initargs=(os.getpid(),),
    )
    try:
        yield pool
    except BaseException:  # such as Ctrl-C: do not wait for what nobody will read
        for worker in list((pool._processes or {}).values()):  # noqa: SLF001 - public from 3.14 on
            worker.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _hidden_main() -> Iterator[None]:
    """Start workers inside the block without running the caller's script in them once more.

    Workers need nothing of it, and a script without ``if __name__ == "__main__":`` would start
    workers in its workers.
    """
    main = sys.modules["__main__"]
    names = vars(main)
    hidden: dict[str, Any] = {key: names[key] for key in ("__file__", "__spec__") if key in names}
    names.pop("__file__", None)
    names["__spec__"] = None
    try:
        yield
    finally:
        names.update(hidden)


def _start_worker(parent: int) -> None:
    """Tie the worker's life to its parent's, and keep its libraries on one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
