"""The campaign file: YAML with the fields of the Makers, checked before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from flows.campaign import CampaignMaker
from makers.fields import build_maker
from screening.errors import ConfigError, InputError
from screening.readers.limits import excerpt, read_text
from screening.readers.yaml_files import load_yaml

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = """\
# A campaign. Every section and name may be left out; `screening init --full` shows all of them.
name: li-mn-s
seed: 42
engine: chgnet             # potential of all stages, or any ASE calculator: module:callable

generation:
  method: enumeration      # enumeration, site-likelihood, autoregressive, matgan, formulas
  chemsys: Li-Mn-S
  max_atoms: 10            # per formula unit

candidates:
  top: 30                  # compositions that get structures

structure:
  methods:                 # structures each method may propose per composition
    prototypes: 6
    random: 3

hull:
  max_above_hull: 0.1      # eV/atom: what counts as a discovery

phonon:
  top: 20
  max_above_hull: 0.05     # eV/atom
"""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises
    ------
    ConfigError
        If it cannot be read or is not a mapping; the message names line and column.
    """
    try:
        if not path.exists():
            raise ConfigError(f"no such file: {path}; `screening init` writes an example")
        content = load_yaml(read_text(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {excerpt(str(error), 200)}") from None
    if not isinstance(content, dict) or not content:
        raise ConfigError(f"{path} holds no campaign; `screening init` writes an example")
    return content


def load_campaign(path: Path) -> CampaignMaker:
    """Read and check a campaign file.

    Raises
    ------
    ConfigError
        If the file, a name or a value is wrong.
    """
    content = read_yaml(path)
    try:
        return build_maker(CampaignMaker, content)
    except (ConfigError, InputError) as error:
        raise ConfigError(f"{path}: {error}") from None


def dump_campaign(campaign: CampaignMaker) -> str:
    """Write a campaign with all its values as YAML; what sections inherit is written once."""
    return yaml.safe_dump(campaign.file_content(), sort_keys=False)
