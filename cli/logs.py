"""Logging is set up here and nowhere else."""

from __future__ import annotations

import logging
import warnings


def set_up_logs(*, debug: bool) -> None:
    """Show warnings of our own packages; everything with `debug`."""
    logging.basicConfig(
        level=logging.INFO if debug else logging.ERROR,
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
    )
    if not debug:
        warnings.filterwarnings("ignore")
