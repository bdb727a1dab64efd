"""Engines by name: what they are called on documents, and how to make one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from screening.checkpoints import load_checkpoint, read_card
from screening.checkpoints.io import bundled_sha256
from screening.errors import CheckpointError, EngineError, InputError
from screening.identity import content_hash

if TYPE_CHECKING:
    from screening.checkpoints import Card
    from screening.engines.base import Engine

EngineSpec = str | Mapping[str, Any]
"""A name, ``module:callable``, or ``{"@module", "@callable", "kwargs"}`` (kwargs may be absent)."""


class _Known(NamedTuple):
    path: str
    kwargs: dict[str, Any]


CHGNET = {"chgnet": "chgnet-0.3.0", "chgnet-r2scan": "chgnet-r2scan"}
"""Names of the bundled potentials, and of their weights."""

SEVENNET = ("sevennet-0", "sevennet-l3i5")
"""Potentials of the package sevenn, called after their weights."""

NEQUIX = ("nequix-oam-1", "nequix-oam-1-pft", "nequix-mp-1", "nequix-omat-1")
"""Potentials whose weights the user adds or fetches, see `screening.engines.potentials`."""

JUDGES = ("nequix-oam-1-pft", "nequix-oam-1", "sevennet-l3i5", "chgnet")
"""Potentials in the order of their errors (docs/methods.md): the first that is here judges."""
TUNED_CLASS = "screening.engines.nequix:NequixEngine"
"""Class on the cards of potentials that were trained here."""

ASE = {
    "emt": _Known("ase.calculators.emt:EMT", {}),
    "lj": _Known(
        "ase.calculators.lj:LennardJones",
        {"sigma": 3.405, "epsilon": 0.01032, "rc": 10.0, "smooth": True},
    ),
}
"""Cheap classical potentials: EMT for some metals, Lennard-Jones with the values of argon."""


def engine_names() -> tuple[str, ...]:
    """Names that need no module path."""
    return (*CHGNET, *SEVENNET, *NEQUIX, *ASE)


def engine_id(engine: EngineSpec) -> str:
    """Name the energy source, as it is written on documents; cheap (no torch, no calculator).

    The bundled potentials are called after their weights (``chgnet-0.3.0``), others after their
    callable, the version of its package and, if there are keyword arguments, a hash of them:
    energies of two sources with different names never meet on a hull.

    Raises
    ------
    InputError
        If `engine` is not an engine.
    EngineError
        If its package is not installed, or its weights are not here.
    """
    if isinstance(engine, str) and engine in CHGNET:
        _require("chgnet", engine)
        return CHGNET[engine]
    if isinstance(engine, str) and engine in SEVENNET:
        _require("sevenn", engine)
        return engine
    if isinstance(engine, str) and engine in NEQUIX:
        from screening.engines.potentials import source_id

        return source_id(engine)
    if (card := _tuned(engine)) is not None:
        return _tuned_id(card)
    path, kwargs = _parse(engine)
    distribution, release = _distribution(path, engine)
    label = engine if isinstance(engine, str) and engine in ASE else path.rpartition(":")[2]
    name = f"{label}-{distribution}-{release}"
    if kwargs and label not in ASE:
        try:
            name += f"-{content_hash(kwargs)[:8]}"
        except TypeError as error:
            raise InputError(f"engine {path!r}: kwargs must be plain data ({error})") from error
    return name


def make_engine(engine: EngineSpec, device: str = "cpu", *, double: bool = False) -> Engine:
    """Make an engine.

    Parameters
    ----------
    engine
        Name or specification, see `engine_id`.
    device
        torch device, for engines that know devices.
    double
        Compute in double precision, for engines that know precisions (CHGNet, Nequix): energies
        that are to be differentiated numerically.

    Raises
    ------
    InputError, EngineError
        See `engine_id`; or the engine cannot be made.
    """
    name = engine_id(engine)
    if isinstance(engine, str) and engine in CHGNET:
        from screening.engines.chgnet_batch import ChgnetEngine

        return ChgnetEngine(name, device, double=double)
    if isinstance(engine, str) and engine in SEVENNET:
        from screening.engines.sevennet import SevenNetEngine

        return SevenNetEngine(name, device)
    if isinstance(engine, str) and engine in NEQUIX:
        return _nequix(engine, name, device, double=double)
    if isinstance(engine, str) and _tuned(engine) is not None:
        from screening.engines.nequix import NequixEngine
        from screening.engines.nequix_file import NequixConfig

        checkpoint = load_checkpoint(engine)
        config = NequixConfig.from_card(checkpoint.card.arguments)
        return NequixEngine(name, config, checkpoint.tensors, device, double=double)
    from screening.engines.ase_engine import AseEngine

    path, kwargs = _parse(engine)
    return AseEngine(name, path, kwargs, device)


def best_judge() -> str:
    """Name the best potential that is here; see `JUDGES`."""
    for name in JUDGES:
        with suppress(EngineError, InputError):
            engine_id(name)
            return name
    return JUDGES[-1]


def _tuned(engine: EngineSpec) -> Card | None:
    """Card of a potential that was trained here, or None if there is none of that name."""
    if not isinstance(engine, str) or not re.fullmatch(r"[\w.-]+", engine) or engine in ASE:
        return None
    try:
        card = read_card(engine)
    except CheckpointError as error:
        if "no checkpoint" in str(error):
            return None
        raise
    return card if card.model == TUNED_CLASS else None


def _tuned_id(card: Card) -> str:
    """Name a trained potential; one that is not bundled with the hash of its weights."""
    bundled = bundled_sha256(card.name)
    return card.name if bundled == card.sha256 else f"{card.name}-{card.sha256[:8]}"


def _nequix(engine: str, name: str, device: str, *, double: bool) -> Engine:
    from screening.engines.nequix import NequixEngine
    from screening.engines.nequix_file import read_nqx
    from screening.engines.potentials import installed_file

    return NequixEngine(name, *read_nqx(installed_file(engine)), device, double=double)


def _parse(engine: EngineSpec) -> tuple[str, dict[str, Any]]:
    """Return ``module:callable`` and keyword arguments."""
    if isinstance(engine, Mapping):
        unknown = set(engine) - {"@module", "@callable", "kwargs"}
        if unknown or not {"@module", "@callable"} <= set(engine):
            raise InputError(
                f"{engine=} must have '@module' and '@callable', and may have 'kwargs'"
            )
        return f"{engine['@module']}:{engine['@callable']}", dict(engine.get("kwargs") or {})
    if engine in ASE:
        known = ASE[engine]
        return known.path, dict(known.kwargs)
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", engine):
        return engine, {}
    raise InputError(
        f"unknown {engine=}: use one of {list(engine_names())}, 'module:callable' of an ASE "
        "calculator, or {'@module': ..., '@callable': ..., 'kwargs': {...}}"
    )


def _require(package: str, engine: EngineSpec) -> None:
    if find_spec(package) is None:
        raise EngineError(f"engine {engine!r} needs the package {package!r}: pip install {package}")


def _distribution(path: str, engine: EngineSpec) -> tuple[str, str]:
    """Name and version of the package that a callable is in; a local module has version 0."""
    top = path.partition(".")[0].partition(":")[0]
    _require(top, engine)
    try:
        return top, version(top)
    except PackageNotFoundError:  # the distribution has another name than its package: slow
        names = packages_distributions().get(top, [])
    return (names[0], version(names[0])) if names else (top, "0")
