"""Millions of compositions from a generator to the ranked best, undisturbed and killed midway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import Report
from benchmarks.resume import command, finish, read

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
CAMPAIGN = """\
name: funnel
seed: {seed}
until: candidates
generation: {{method: {method}, n_samples: {items}, batch_size: {batch}}}
energy: {{fast: true}}
candidates: {{top: 100, rank_by: formation_energy}}
"""
BATCH = 250_000
MAX_SECONDS, MAX_GIB = 600.0, 2.0
"""What 5 million compositions may take on two cores, database included."""


def run(items: int, seed: int, repeats: int) -> Report:  # noqa: ARG001 - as of all benchmarks
    """Take `items` samples of the autoregressive model, judge, predict energies and rank."""
    return _funnel("autoregressive", items, seed)


def run_matgan(items: int, seed: int, repeats: int) -> Report:  # noqa: ARG001
    """Take `items` samples of MatGAN, judge, predict energies and rank."""
    return _funnel("matgan", items, seed)


def run_killed(items: int, seed: int, repeats: int) -> Report:  # noqa: ARG001
    """Kill a run of `items` samples (``kill -9``) at a third and at two thirds, and resume it."""
    with tempfile.TemporaryDirectory() as name:
        calm, disturbed = Path(name) / "calm", Path(name) / "disturbed"
        for place in (calm, disturbed):
            place.mkdir()
            _write_campaign(place, "autoregressive", items, seed, batch=max(1, items // 10))
        seconds, idle = (_time(calm) for _ in range(2))  # the second has nothing to do
        kills = sum(_kill(disturbed, idle + (seconds - idle) / 3) for _ in range(2))
        finish(command(disturbed, "resume", "funnel", "--quiet"))
        ours, theirs = (_ranking(place) for place in (disturbed, calm))
        tasks = read(disturbed, "tasks")
    doubled = sum(
        sum(attempt["state"] == "finished" for attempt in task["attempts"]) > 1 for task in tasks
    )
    report = Report("A run that is killed midway, twice, against an undisturbed one")
    report.figures |= {"undisturbed run, s": round(seconds, 1), "processes killed": kills}
    report.check("killed", f"{kills} of 2", passed=kills == 2)
    same = f"{len(ours)}, undisturbed {len(theirs)}"
    report.check("same candidates, ranks and energies", same, passed=ours == theirs != [])
    report.check("tasks finished twice", str(doubled), passed=doubled == 0)
    return report


def _write_campaign(folder: Path, method: str, items: int, seed: int, *, batch: int) -> None:
    text = CAMPAIGN.format(method=method, seed=seed, items=items, batch=batch)
    (folder / "campaign.yaml").write_text(text)


def _time(folder: Path) -> float:
    """Run the campaign in `folder` and return the seconds that it took."""
    start = time.perf_counter()
    finish(command(folder, "run", "campaign.yaml", "--quiet"))
    return time.perf_counter() - start


def _kill(folder: Path, life: float) -> bool:
    """Run the campaign for `life` seconds and kill it; returns whether it was still running."""
    process = command(folder, "run", "campaign.yaml", "--quiet")
    try:
        process.wait(timeout=life)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def _ranking(folder: Path) -> list[tuple[int, str, float]]:
    """Read rank, formula and energy of the candidates, the best first."""
    return sorted(
        (row["rank"], row["formula"], row["energy"]["formation_energy_per_atom"])
        for row in read(folder, "candidates")
        if row["rank"] is not None
    )


def _funnel(method: str, items: int, seed: int) -> Report:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_campaign(folder, method, items, seed, batch=min(BATCH, items))
        environment = {key: os.environ[key] for key in os.environ if "SCREENING_" not in key}
        environment |= {"SCREENING_DATA_DIR": str(folder / "data"), "PYTHONPATH": str(ROOT)}
        environment |= {"OMP_NUM_THREADS": str(os.cpu_count() or 1)}
        start = time.perf_counter()
        with _peak_memory(folder) as peak:
            subprocess.run(
                [*_SCREENING, "run", "campaign.yaml"], cwd=folder, env=environment, check=True
            )
        seconds = time.perf_counter() - start
        status = subprocess.run(
            [*_SCREENING, "status", "funnel", "--json"],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
        )
    funnel = json.loads(status.stdout)["funnel"]
    report = Report(f"Samples of {method} to the ranked best 100, every one in the database")
    report.figures |= {
        "seconds": seconds,
        "compositions per second": items / seconds,
        "peak memory of both processes, GiB": sum(peak.values()),
        **{f"after {name}": stage["n_out"] for name, stage in funnel.items()},
    }
    share = items / 5_000_000
    limit = MAX_SECONDS * max(share, 0.1)
    report.check("time", f"{seconds:.0f} s of {limit:.0f} s", passed=seconds <= limit)
    used = sum(peak.values())
    report.check("memory", f"{used:.2f} GiB of {MAX_GIB} GiB", passed=used <= MAX_GIB)
    chosen = funnel["energy"]["n_out"]
    report.check("candidates", str(chosen), passed=chosen > 0)
    return report


_SCREENING = (sys.executable, "-c", "from cli.app import main; main()")


@contextmanager
def _peak_memory(folder: Path) -> Iterator[dict[str, float]]:
    """Watch the largest resident memory (GiB) of the database and of this process' child."""
    peak = {"database": 0.0, "campaign": 0.0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            for name, pid in _processes(folder).items():
                peak[name] = max(peak[name], _resident(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _processes(folder: Path) -> dict[str, int]:
    found = {}
    server = folder / "data" / "mongodb" / "server.json"
    with suppress(OSError, ValueError):
        found["database"] = json.loads(server.read_text())["pid"]
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    if children:
        found["campaign"] = int(children[0])
    return found


def _resident(pid: int) -> float:
    """Peak resident memory of a process in GiB, from the kernel."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) / 2**20 if lines else 0.0
