"""The files that jobflow and FireWorks read, written for the database that the settings name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import yaml

from db_config.private import write_private

if TYPE_CHECKING:
    from pathlib import Path

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
    launchpad = settings.launchpad_file or folder / "my_launchpad.yaml"
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


def environment(settings: Settings) -> dict[str, str]:
    """Variables that make jobflow and FireWorks read the generated files."""
    folder = config_folder(settings)
    return {variable: str(folder / file) for variable, file in VARIABLES.items()}
