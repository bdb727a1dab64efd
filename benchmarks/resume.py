"""Kill a campaign again and again, resume it, and compare with an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
CAMPAIGN = """\
name: kill-me
seed: 7
generation: {method: formulas, formulas: [CuAu, Cu3Au, CuAu3, Cu2Au, CuPd, Cu3Pd, AuPd]}
candidates: {top: 6, rank_by: formation_energy}
structure: {methods: {prototypes: 4, random: 2}, max_atoms: 8, compositions_per_task: 2}
relax: {engine: emt, structures_per_task: 8, batch_size: 4, max_steps: 120}
hull: {engine: emt, max_above_hull: 0.3}
phonon: {engine: emt, top: 2, max_above_hull: 0.3, min_length: 7}
"""
"""A campaign with all stages on ASE's EMT potential, so that a run takes seconds."""

VOLATILE = {"_id", "last_updated", "hull_created"}
"""Fields that hold dates."""


@dataclass
class Comparison:
    """Result of `kill_and_compare`.

    Attributes
    ----------
    kills
        Processes killed.
    undisturbed, resumed
        Number of materials.
    equal
        Whether all documents are the same.
    doubled
        Tasks with more than one finished attempt, in the disturbed run.
    seconds
        Duration of the undisturbed run.
    """

    kills: int
    undisturbed: int
    resumed: int
    equal: bool
    doubled: int
    seconds: float


START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from cli.app import main
main()
"""
"""A shell's background jobs ignore Ctrl-C, and so do their children; here it is to be heard."""


def command(folder: Path, *arguments: str, processes: int = 1) -> subprocess.Popen[bytes]:
    """Start ``screening`` on the database in `folder`."""
    settings = folder / "settings.yaml"
    settings.write_text("{}\n")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("SCREENING_")},
        "SCREENING_CONFIG_FILE": str(settings),  # never the user's own database
        "SCREENING_DATA_DIR": str(folder / "data"),
        "SCREENING_PROCESSES": str(processes),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a command and insist on success."""
    _, errors = process.communicate(timeout=900)
    if process.returncode != 0:
        raise RuntimeError(errors.decode()[-2000:])


@contextmanager
def without_settings() -> Iterator[None]:
    """Hide the user's variables ``SCREENING_...`` inside the block: they come before arguments."""
    hidden = {key: os.environ.pop(key) for key in list(os.environ) if key.startswith("SCREENING_")}
    try:
        yield
    finally:
        os.environ.update(hidden)


def read(folder: Path, collection: str) -> list[dict[str, Any]]:
    """Read a collection of the database in `folder`, without dates."""
    from db_config import Settings
    from stores import Database

    with without_settings():
        database = Database(Settings(data_dir=folder / "data"))
    try:
        rows = list(database.rows(collection))
    finally:
        database.close()
    return [{key: value for key, value in row.items() if key not in VOLATILE} for row in rows]


def materials(folder: Path) -> list[dict[str, Any]]:
    """Read the materials in the order of their keys."""
    return sorted(read(folder, "materials"), key=lambda row: str(row["material_id"]))


def kill_and_compare(folder: Path, kills: int, *, seed: int = 0, processes: int = 2) -> Comparison:
    """Run a campaign undisturbed, and once more with kills at random moments.

    Parameters
    ----------
    folder
        Empty; holds both databases.
    kills
        How often the second run is killed.
    seed
        Seed of the moments.
    processes
        Processes for relaxations.
    """
    calm, disturbed = folder / "calm", folder / "disturbed"
    for place in (calm, disturbed):
        place.mkdir(parents=True)
        (place / "campaign.yaml").write_text(CAMPAIGN)
    seconds, idle = (_time(calm, processes) for _ in range(2))  # the second has nothing to do
    moments = random.Random(seed)
    done = 0
    while done < kills:
        process = command(disturbed, "run", "campaign.yaml", "--quiet", processes=processes)
        try:  # each life is long enough for about one part of the work
            life = moments.uniform(0.5 * idle, idle + 2 * (seconds - idle) / kills)
            process.wait(timeout=life)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
        else:
            break  # it has finished
    finish(command(disturbed, "run", "campaign.yaml", "--quiet", processes=processes))
    ours, theirs = materials(disturbed), materials(calm)
    tasks = read(disturbed, "tasks")
    doubled = sum(
        sum(attempt["state"] == "finished" for attempt in task["attempts"]) > 1 for task in tasks
    )
    return Comparison(done, len(theirs), len(ours), ours == theirs, doubled, seconds)


def _time(folder: Path, processes: int) -> float:
    """Run the campaign in `folder` and return the seconds that it took."""
    start = time.perf_counter()
    finish(command(folder, "run", "campaign.yaml", "--quiet", processes=processes))
    return time.perf_counter() - start


def run(items: int, seed: int, repeats: int) -> Report:  # noqa: ARG001 - as of all benchmarks
    """Kill a campaign `items` times at moments drawn from `seed`, and compare its materials."""
    with tempfile.TemporaryDirectory() as folder:
        result = kill_and_compare(Path(folder), kills=items, seed=seed)
    report = Report("Materials of a campaign that was killed again and again, two processes")
    report.figures["processes killed"] = result.kills
    report.figures["undisturbed run, s"] = round(result.seconds, 1)
    report.check("killed", f"{result.kills} of {items}", passed=2 * result.kills > items)
    found = f"{result.resumed}, undisturbed {result.undisturbed}"
    report.check("same materials", found, passed=result.equal and result.undisturbed > 0)
    report.check("tasks finished twice", str(result.doubled), passed=result.doubled == 0)
    return report
