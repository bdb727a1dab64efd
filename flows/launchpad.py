"""The FireWorks LaunchPad that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from db_config.files import launchpad_path
from screening.errors import ConfigError

if TYPE_CHECKING:
    from stores import Database


def open_launchpad(database: Database) -> Any:
    """Open the user's LaunchPad, or the one beside the results; its indexes are made if needed.

    Raises
    ------
    ConfigError
        If the file of the LaunchPad cannot be read.
    """
    from fireworks import LaunchPad

    settings = database.settings
    path = launchpad_path(settings)
    try:
        launchpad = LaunchPad.from_dict(yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not a FireWorks launchpad file: {error}") from None
    launchpad.m_logger.setLevel("WARNING")
    if launchpad.db["fw_id_assigner"].find_one() is None:
        launchpad.reset("", require_password=False, max_reset_wo_password=0)
    return launchpad
