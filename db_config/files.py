"""The files that jobflow and FireWorks read, written for the database that the settings name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from db_config.private import write_private

if TYPE_CHECKING:
    from db_config.settings import Settings

VARIABLES = {"JOBFLOW_CONFIG_FILE": "jobflow.yaml", "FW_CONFIG_FILE": "FW_config.yaml"}


def config_folder(settings: Settings) -> Path:
    """Folder of the generated files."""
    return settings.data_dir / "config"


def job_store_spec(settings: Settings, uri: str) -> dict[str, Any]:
    """Describe jobflow's JobStore: `outputs` for documents, GridFS `data` for large objects."""
    return {
        "docs_store": {
            "type": "MongoStore",
            "database": settings.database,
            "collection_name": "outputs",
            "uri": uri,
        },
        "additional_stores": {
            "data": {
                "type": "GridFSStore",
                "database": settings.database,
                "collection_name": "data",
                "uri": uri,
            }
        },
    }


def write_config_files(settings: Settings, uri: str) -> Path:
    """Write ``jobflow.yaml``, ``my_launchpad.yaml``, ``FW_config.yaml`` and ``my_fworker.yaml``.

    All are 0600, because the connection string holds a password. A launchpad of the user's own
    (setting `launchpad_file`) is pointed to instead of writing one.

    Returns
    -------
    The folder; `environment` gives the variables that point jobflow and FireWorks to it.
    """
    folder = config_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    launchpad = launchpad_path(settings)
    files: dict[str, dict[str, Any]] = {
        "jobflow.yaml": {"JOB_STORE": job_store_spec(settings, uri)},
        "FW_config.yaml": {
            "CONFIG_FILE_DIR": str(folder),
            "LAUNCHPAD_LOC": str(launchpad),
            "FWORKER_LOC": str(folder / "my_fworker.yaml"),
            "PING_TIME_SECS": 300,
        },
        "my_fworker.yaml": {"name": os.uname().nodename, "category": "", "query": "{}"},
    }
    if settings.launchpad_file is None:
        files["my_launchpad.yaml"] = {
            "host": uri,
            "name": f"{settings.database}_fireworks",
            "uri_mode": True,
            "logdir": None,
            "strm_lvl": "WARNING",
        }
    for file, content in files.items():
        write_private(folder / file, yaml.safe_dump(content, sort_keys=False))
    return folder


def launchpad_path(settings: Settings) -> Path:
    """File of the LaunchPad: the user's own (setting `launchpad_file`), or the generated one."""
    return settings.launchpad_file or config_folder(settings) / "my_launchpad.yaml"


def environment(settings: Settings) -> dict[str, str]:
    """Variables that make jobflow and FireWorks read the generated files."""
    folder = config_folder(settings)
    return {variable: str(folder / file) for variable, file in VARIABLES.items()}


_ASK = (
    "import json\n"
    "from fireworks import fw_config\n"
    "from jobflow import SETTINGS\n"
    "store = getattr(SETTINGS.JOB_STORE.docs_store, 'database', None)\n"
    "print('\\n' + json.dumps([fw_config.LAUNCHPAD_LOC, store]))\n"
)
_PATIENCE = 120.0
"""Seconds that FireWorks and jobflow may take to be imported."""


def effective_launchpad(variables: dict[str, str] | None = None) -> tuple[Path | None, str | None]:
    """Ask FireWorks and jobflow which files they use in this folder, in a process of their own.

    FireWorks takes a ``FW_config.yaml`` of the working folder or of ``~/.fireworks`` before the
    one that the variable ``FW_CONFIG_FILE`` names, so that looking at variables tells nothing.

    Parameters
    ----------
    variables
        Variables that are set in addition to those of this process.

    Returns
    -------
    The launchpad file of FireWorks and the database of jobflow's JobStore; None where there is
    none, or where the two packages cannot read their own files.
    """
    done = subprocess.run(  # noqa: S603 - this interpreter, a constant program
        [sys.executable, "-P", "-c", _ASK],  # -P: nothing is imported from the working folder
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
    )
    if done.returncode:
        return None, None
    launchpad, database = json.loads(done.stdout.splitlines()[-1])
    return (Path(launchpad).absolute() if launchpad else None), database


def stray_config() -> Path | None:
    """Find the ``FW_config.yaml`` that FireWorks reads before the one of this project."""
    folders = (Path.cwd(), Path("~/.fireworks").expanduser())
    return next((file for folder in folders if (file := folder / "FW_config.yaml").is_file()), None)
