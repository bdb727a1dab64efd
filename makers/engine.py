"""Fields of the stages that evaluate energies with a potential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from db_config import get_settings
from makers.base import Inherited, StageMaker
from screening.engines import engine_id
from screening.engines.potentials import set_potential_folder


def engine_spec(engine: str, options: dict[str, Any]) -> str | dict[str, Any]:
    """Name an engine together with the keyword arguments of its calculator."""
    if not options:
        return engine
    module, _, function = engine.partition(":")
    return {"@module": module, "@callable": function, "kwargs": options}


@dataclass
class EngineMaker(StageMaker):
    """A stage that evaluates energies.

    Attributes
    ----------
    engine
        Energy engine: ``chgnet``, or any ASE calculator (``module:callable``); None: the
        campaign's.
    engine_options
        Keyword arguments of the calculator; None: the campaign's, if the engine is.
    """

    inherited: ClassVar[dict[str, Inherited]] = {
        "engine": Inherited("engine", "chgnet"),
        "engine_options": Inherited("engine_options", {}, only_with="engine"),
    }
    engine: str | None = None
    engine_options: dict[str, Any] | None = None

    def engine_spec(self) -> str | dict[str, Any]:
        """Name the engine with its keyword arguments; its weights are those of this machine."""
        set_potential_folder(get_settings().potentials)
        return engine_spec(self.engine or "", self.engine_options or {})

    def engine_name(self) -> str:
        """Name the engine as documents do."""
        return engine_id(self.engine_spec())
