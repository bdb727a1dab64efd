"""Logging is set up here and nowhere else."""

from __future__ import annotations

import logging
import warnings

OURS = ("screening", "stores", "makers", "flows", "db_config", "dashboard", "cli")


def set_up_logs(*, debug: bool) -> None:
    """Show warnings of our own packages; everything with `debug`."""
    detailed = "%(asctime)s %(name)s %(levelname)s %(message)s"
    logging.basicConfig(
        level=logging.INFO if debug else logging.ERROR,
        format=detailed if debug else "note: %(message)s",
    )
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO if debug else logging.WARNING)
    if not debug:
        warnings.filterwarnings("ignore")
