"""The pool: structures of one composition from several methods, merged and ranked together.

Ranks are fused by weighted reciprocal rank (Cormack et al. 2009, doi:10.1145/1571941.1572114),
because the scores of different methods cannot be compared. A method without scores has no order:
each of its proposals counts with their mean rank.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.checkpoints import checkpoint_ref
from screening.crystal.distances import fingerprint
from screening.crystal.equality import REFUSED, Comparable, same_crystal
from screening.errors import CheckpointError, InputError
from screening.schemas import OriginDoc, SpaceGroupDoc, StructureDoc, StructureStage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.structure.request import Proposal, StructureGenerator, Target

GENERATORS = {
    "cond-cdvae": "screening.structure.cdvae.model:CdvaeGenerator",
    "contact-map": "screening.structure.alphacrystal.generators:ContactMapGenerator",
    "distance-matrix": "screening.structure.alphacrystal.generators:DistanceMatrixGenerator",
    "prototypes": "screening.structure.prototypes:PrototypeGenerator",
    "random": "screening.structure.random.generator:RandomGenerator",
    "transformer": "screening.structure.transformer.generator:TransformerGenerator",
}
"""Name of a method -> 'module:class' of its generator, imported when it is first used."""

CHECKPOINTS = {
    "cond-cdvae": "cond-cdvae",
    "contact-map": "maps",
    "distance-matrix": "maps",
    "transformer": "transformer",
}
"""Methods that need a checkpoint -> its name. Bank and ranker are chosen with the prototypes."""

PRESSURE_AWARE = frozenset({"cond-cdvae"})
"""Methods that propose other crystals at another pressure."""

FUSION = 2
"""A proposal at rank r of a method counts 1 / (2 + r), times the weight of the method."""
WEIGHTS = {"prototypes": 1.0, "transformer": 0.3}
OTHERS = 0.2
"""What a method's vote weighs, and that of the methods not named.

With `FUSION`, chosen on 160 formulas that no method had seen, see docs/generators.md. With equal
votes and 60, as documents are fused, the first of the prototypes was often voted down.
"""


def generator_names() -> list[str]:
    """Names of the registered methods."""
    return sorted(GENERATORS)


def available_generators() -> list[str]:
    """Names of the methods whose checkpoints are there, bundled or the user's."""
    return [
        name for name in generator_names() if name not in CHECKPOINTS or _has(CHECKPOINTS[name])
    ]


def _has(checkpoint: str) -> bool:
    try:
        checkpoint_ref(checkpoint)
    except CheckpointError:
        return False
    return True


@cache
def get_generator(
    name: str,
    digest: str | None = None,  # noqa: ARG001 - it keeps generators apart
    **options: Any,
) -> StructureGenerator:
    """Make the generator of a method; one for the whole process.

    Parameters
    ----------
    name
        Name of the method.
    digest
        SHA-256 of its checkpoints: what has changed on disk is read again.
    options
        Its own arguments, such as the names of checkpoints.

    Raises
    ------
    InputError
        If there is no such method.
    """
    if name not in GENERATORS:
        raise InputError(f"unknown structure method {name!r}: use one of {sorted(GENERATORS)}")
    module, generator = GENERATORS[name].split(":")
    make = getattr(import_module(module), generator)
    made: StructureGenerator = make(**options)
    return made


@dataclass
class Once:
    """A generator that is asked once for each target.

    Attributes
    ----------
    generator
        The generator.
    kept
        What it has proposed.
    """

    generator: StructureGenerator
    kept: dict[Target, list[Proposal]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name in the registry."""
        return self.generator.name

    @property
    def version(self) -> str:
        """Version of the method."""
        return self.generator.version

    def generate(self, target: Target, n: int, seed: int) -> list[Proposal]:
        """Give what was proposed before, or ask."""
        if target not in self.kept:
            self.kept[target] = self.generator.generate(target, n, seed)
        return self.kept[target]


@dataclass
class _Entry:
    """One crystal of the pool and who proposed it."""

    structure: Structure
    comparable: Comparable
    fingerprint: NDArray[np.float64]
    origins: list[OriginDoc]
    best: dict[str, float]

    @property
    def score(self) -> float:
        """Sum over methods of the weighted reciprocal of the best rank."""
        return sum(
            WEIGHTS.get(method, OTHERS) / (FUSION + self.best[method])
            for method in sorted(self.best)
        )

    def found(self, origin: OriginDoc, rank: float) -> None:
        """Note another proposal of this crystal, and the rank with which it counts."""
        self.origins.append(origin)
        self.best[origin.method] = min(rank, self.best.get(origin.method, rank))


def build_pool(
    target: Target,
    methods: Mapping[str, int],
    seed: int,
    *,
    top: int | None = None,
    generators: Mapping[str, StructureGenerator] | None = None,
) -> list[StructureDoc]:
    """Let every method propose structures; merge duplicates, keep all their origins, rank.

    Parameters
    ----------
    target
        Composition and limits.
    methods
        Name of each method and how many structures it may propose. A method that has none for this
        composition adds nothing.
    seed
        Seed of the methods.
    top
        Structures that are kept after the ranks are fused; None for all.
    generators
        Generators that are used instead of, or beside, the registered ones.

    Returns
    -------
    Documents of stage "generated", best first. The same arguments give the same documents.

    Raises
    ------
    InputError
        If a method is unknown or its number is negative.
    """
    own = generators or {}
    unknown = sorted(set(methods) - set(GENERATORS) - set(own))
    if unknown:
        allowed = sorted({*GENERATORS, *own})
        raise InputError(f"unknown structure method {unknown[0]!r}: use some of {allowed}")
    for name, n in methods.items():
        if n < 0:
            raise InputError(f"methods[{name!r}]={n}: ask for 0 structures or more")
    proposed: list[tuple[int, str, float, OriginDoc, Proposal]] = []
    for name in sorted(methods):
        generator = own[name] if name in own else get_generator(name)
        proposals = generator.generate(target, methods[name], seed) if methods[name] else []
        for rank, proposal in enumerate(proposals, start=1):
            origin = _origin(generator, proposal, rank, seed)
            counted = rank if proposal.score is not None else (len(proposals) + 1) / 2
            proposed.append((rank, name, counted, origin, proposal))
    entries: list[_Entry] = []
    for _, _, counted, origin, proposal in sorted(proposed, key=lambda item: item[:2]):
        _entry(entries, proposal.structure).found(origin, counted)
    scores = [entry.score for entry in entries]
    least = sorted(scores, reverse=True)[:top][-1] if entries and top != 0 else np.inf
    documents = [
        (score, _document(entry))
        for score, entry in zip(scores, entries, strict=True)
        if score >= least
    ]
    documents.sort(key=lambda item: (-item[0], item[1].structure_id))
    return [document for _, document in documents][:top]


def _origin(generator: StructureGenerator, proposal: Proposal, rank: int, seed: int) -> OriginDoc:
    return OriginDoc(
        method=generator.name,
        version=generator.version,
        rank=rank,
        score=proposal.score,
        seed=seed,
        template=proposal.template,
        parameters=proposal.parameters,
    )


def _entry(entries: list[_Entry], structure: Structure) -> _Entry:
    """Find the closest entry that is the same crystal, or append one."""
    crystal = Comparable.of(structure)
    own = fingerprint(crystal.lattice, crystal.points, crystal.numbers)
    differences = [float(np.sqrt(((own - e.fingerprint) ** 2).mean())) for e in entries]
    for place in np.argsort(differences, kind="stable").tolist():
        if differences[place] > REFUSED:
            break
        if same_crystal(entries[place].comparable, crystal):
            return entries[int(place)]
    entries.append(_Entry(structure, crystal, own, [], {}))
    return entries[-1]


def _document(entry: _Entry) -> StructureDoc:
    origins = sorted(entry.origins, key=lambda origin: (origin.rank, origin.method))
    return StructureDoc.from_structure(
        entry.structure,
        stage=StructureStage.GENERATED,
        symmetry=SpaceGroupDoc.from_structure(entry.structure),
        origins=origins,
    )
