"""What is wrong with the installation and the database, and how to mend it."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING, Any

from db_config import get_settings
from db_config.files import effective_launchpad, launchpad_path, stray_config
from db_config.vasp import STUB, command_faults, potcar_faults, read_titels, vasp_command
from screening.checkpoints import bundled_names, checkpoint_ref
from screening.engines import engine_id
from screening.engines.potentials import survey
from screening.errors import ScreeningError
from screening.gpaw import GpawSettings, fault
from stores.blobs import missing_blobs, orphan_blobs
from stores.database import open_database
from stores.ledger import stale_tasks
from stores.queries.campaigns import server_version
from stores.repair import outdated

if TYPE_CHECKING:
    from collections.abc import Callable

    from stores.database import Database

LOW_DISK = 2 * 2**30
CROWDED = 4.0
"""Documents and indexes over the server's cache from which on filters get slow."""
PROBES = ("O", "Fe_pv", "Li_sv")
"""POTCARs that are looked for: a set that has these is whole."""
Finding = dict[str, str]


def _finding(check: str, finding: str, fix: str = "", *, bad: bool = False) -> Finding:
    state = "bad" if bad else "warning" if fix else "ok"
    return {"check": check, "state": state, "finding": finding, "fix": fix}


def examine() -> list[Finding]:
    """Run all checks; those that need a database are left out when there is none."""
    try:
        database = open_database()
    except ScreeningError as error:
        found = _finding("database", str(error), "see the message", bad=True)
        return [found, *_machine(), _launchpad_files(), *_vasp()]
    return [
        *_of_database(database), _blobs(database), *_machine(), _launchpad_files(), *_vasp(),
    ]  # fmt: skip


def examine_quickly(database: Database) -> list[Finding]:
    """Run the checks that take no longer than a page may take."""
    return [*_of_database(database), *_machine()]


def _of_database(database: Database) -> list[Finding]:
    checks: tuple[Callable[[Database], Finding], ...] = (
        _indexes,
        _memory,
        _tasks,
        _campaigns,
        _values,
    )
    found = f"{database.where}, MongoDB {server_version(database)}"
    return [_finding("database", found), *(check(database) for check in checks)]


def _machine() -> list[Finding]:
    return [_disk(), *_checkpoints(), _engine(), *_potentials(), _gpaw()]


def _indexes(database: Database) -> Finding:
    missing = database.missing_indexes()
    if missing:
        return _finding(
            "indexes", f"missing: {'; '.join(missing)}", "any command makes them", bad=True
        )
    return _finding("indexes", "all there")


def _memory(database: Database) -> Finding:
    cache = database.settings.cache_gb
    size = database.size() / 1e9
    if database.settings.mongo_uri is not None:
        return _finding("memory", f"{size:.2g} GB of documents and indexes on a server of yours")
    crowded = size > CROWDED * cache
    return _finding(
        "memory",
        f"{size:.2g} GB of documents and indexes, {cache:g} GB to keep them in",
        f"SCREENING_CACHE_GB={size / 2:.1f}, then `screening db stop`" if crowded else "",
    )


def _tasks(database: Database) -> Finding:
    stale = stale_tasks(database)
    failed = next(iter(_count(database, "tasks", {"state": "failed"})), 0)
    if stale or failed:
        return _finding(
            "tasks",
            f"{len(stale)} were interrupted, {failed} failed",
            "`screening resume CAMPAIGN` does them again",
        )
    return _finding("tasks", "none interrupted, none failed")


def _count(database: Database, name: str, query: dict[str, Any]) -> list[int]:
    with database.guard():
        return [database.raw(name).count_documents(query)]


def _campaigns(database: Database) -> Finding:
    fields = ["name", "state"]
    rows = list(database.rows("campaigns", {"state": {"$ne": "finished"}}, fields))
    if rows:
        names = ", ".join(f"{row['name']} ({row['state']})" for row in rows[:5])
        return _finding("campaigns", f"not finished: {names}", "`screening resume NAME`")
    return _finding("campaigns", "all finished")


def _values(database: Database) -> Finding:
    faults = outdated(database)
    if faults.n_materials or faults.hull_ids or faults.searches:
        return _finding(
            "hull values",
            f"{faults.n_materials} crystals have values of an older hull or an older version; "
            f"{len(faults.hull_ids)} hulls and {len(faults.searches)} searches do not say what "
            "they rest on",
            "`screening db doctor --fix`",
            bad=bool(faults.n_materials),
        )
    return _finding("hull values", "every crystal has the value of the newest hull of its system")


def _blobs(database: Database) -> Finding:
    missing, orphans = missing_blobs(database), orphan_blobs(database)
    if missing:
        return _finding(
            "large fields",
            f"{len(missing)} are missing, first of {missing[0]}",
            "delete these documents and resume their campaigns",
            bad=True,
        )
    return _finding("large fields", f"all there; {len(orphans)} are not used any more")


def _disk() -> Finding:
    folder = get_settings().data_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    text = f"{free / 2**30:.1f} GiB free for {folder}"
    return _finding("disk", text, "free some space" if free < LOW_DISK else "")


def _checkpoints() -> list[Finding]:
    findings = []
    for name in bundled_names():
        try:
            reference = checkpoint_ref(name)
        except ScreeningError as error:
            findings.append(_finding(f"checkpoint {name}", str(error), "install again", bad=True))
        else:
            findings.append(_finding(f"checkpoint {name}", f"sha256 {reference.sha256[:12]}"))
    return findings


def _engine() -> Finding:
    try:
        return _finding("engine", engine_id("chgnet"))
    except ScreeningError as error:
        return _finding("engine", str(error), "pip install chgnet", bad=True)


def _potentials() -> list[Finding]:
    """Potentials of others are not needed; a file that is another one is a fault."""
    rows = survey()
    here = [row["source"] for row in rows if row["state"] == "here"]
    findings = [_finding("potentials", ", ".join(here) or "none but the bundled ones")]
    for row in rows:
        if row["state"] == "wrong file":
            text = f"{row['file']} is another file than that of its authors"
            fix = f"delete it, then `screening potentials fetch {row['name']}`"
            findings.append(_finding(f"potential {row['name']}", text, fix, bad=True))
    return findings


def _gpaw() -> Finding:
    missing = fault()
    return _finding(
        "GPAW", "not there: only needed for DFT without VASP" if missing else GpawSettings().engine
    )


def _launchpad_files() -> Finding:
    """Ask FireWorks and jobflow which files they would use in this folder and shell."""
    settings = get_settings()
    launchpad, job_database = effective_launchpad()
    about = "FireWorks and jobflow"
    if launchpad != launchpad_path(settings):
        stray = stray_config()
        if stray is not None:
            return _finding(
                about,
                f"FireWorks reads {stray} first, and so the LaunchPad {launchpad}",
                "work in another folder or move that file, or use "
                f"`lpad -l {shlex.quote(str(launchpad_path(settings)))}` (rlaunch, qlaunch alike)",
            )
        return _finding(
            about,
            f"FireWorks uses {launchpad or 'a LaunchPad on localhost'} in this shell",
            'for rlaunch: eval "$(screening config env)"',
        )
    if job_database != settings.database:
        return _finding(
            about,
            f"jobflow stores outputs in {job_database or 'memory'} in this shell",
            'eval "$(screening config env)"',
        )
    return _finding(about, f"FireWorks uses {launchpad}; jobflow stores in {job_database}")


def _vasp() -> list[Finding]:
    """Only `until: validation` and `screening validate` need it: nothing here is bad."""
    faults = [*command_faults(), *potcar_faults(PROBES, "PBE_54"), *potcar_faults(PROBES, "PBE")]
    found = [_finding(fault.about, fault.finding, fault.fix) for fault in dict.fromkeys(faults)]
    about = {fault.about for fault in faults}
    if "VASP_CMD" not in about:
        found.append(_finding("VASP_CMD", vasp_command()))
    if "POTCARs" not in about:
        titels = read_titels(PROBES, "PBE_54")
        stub = any(STUB in (titel or "") for titel in titels.values())
        fix = "point PMG_VASP_PSP_DIR to your licensed ones" if stub else ""
        text = "stubs for an emulator of VASP" if stub else "PBE_54 (paper) and PBE (mp) are there"
        found.append(_finding("POTCARs", text, fix))
    return found
