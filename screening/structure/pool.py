"""The pool: structures of one composition from several methods, merged and ranked together.

Ranks are fused by weighted reciprocal rank (Cormack et al. 2009, doi:10.1145/1571941.1572114),
because the scores of different methods cannot be compared. A method without scores has no order:
each of its proposals counts with their mean rank. Crystals of several space groups that are one
crystal to StructureMatcher stay apart (`screening.structure.merging`): the one with the most votes
stands for the family and has the votes of all, the others have their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from screening.checkpoints import checkpoint_ref
from screening.errors import CheckpointError, InputError
from screening.identity import content_hash
from screening.schemas import OriginDoc, SpaceGroupDoc, StructureDoc, StructureStage
from screening.structure.merging import Member, Merger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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

    member: Member
    family: int
    origins: list[OriginDoc] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)

    def vote(self, origin: OriginDoc, rank: float) -> None:
        """Note another proposal of this crystal, and the rank with which it counts."""
        self.origins.append(origin)
        self.best[origin.method] = min(rank, self.best.get(origin.method, rank))


@dataclass(frozen=True)
class _Vote:
    """One proposal, and the rank with which it counts."""

    member: Member
    origin: OriginDoc
    counted: float

    def key(self) -> tuple[Any, ...]:
        """Order in which crystals are founded: symmetric ones, by weight of the vote."""
        structure, origin = self.member.structure, self.origin
        return (
            self.member.group == 1,
            -_weight(origin.method, self.counted),
            -self.member.order,
            origin.rank,
            content_hash(structure.lattice.matrix.round(5), structure.frac_coords.round(5)),
        )


def _weight(method: str, rank: float) -> float:
    return WEIGHTS.get(method, OTHERS) / (FUSION + rank)


def _fused(best: Mapping[str, float]) -> float:
    """Sum over methods of the weighted reciprocal of the best rank."""
    return sum(_weight(method, best[method]) for method in sorted(best))


def _score(entries: Iterable[_Entry]) -> float:
    best: dict[str, float] = {}
    for entry in entries:
        for method, rank in entry.best.items():
            best[method] = min(rank, best.get(method, rank))
    return _fused(best)


def fused_votes(origins: Iterable[OriginDoc]) -> float:
    """Add up what the proposals that led to a crystal count in a pool.

    Parameters
    ----------
    origins
        The proposals. A document does not say whether its method has an order: each counts with
        the rank that it had there.
    """
    best: dict[str, float] = {}
    for origin in origins:
        best[origin.method] = min(origin.rank, best.get(origin.method, origin.rank))
    return _fused(best)


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
    votes: list[_Vote] = []
    for name in sorted(methods):
        generator = own[name] if name in own else get_generator(name)
        proposals = generator.generate(target, methods[name], seed) if methods[name] else []
        for rank, proposal in enumerate(proposals, start=1):
            origin = _origin(generator, proposal, rank, seed)
            counted = rank if proposal.score is not None else (len(proposals) + 1) / 2
            votes.append(_Vote(Member.of(proposal.structure), origin, counted))
    ranked = _ranked(_merged(votes))[:top]
    return [_document(entry) for entry in ranked]


def _merged(votes: Iterable[_Vote]) -> list[_Entry]:
    """Count the votes for each crystal."""
    merger = Merger()
    entries: list[_Entry] = []
    for vote in sorted(votes, key=_Vote.key):
        index = merger.place(vote.member)
        if index == len(entries):
            entries.append(_Entry(vote.member, merger.families[index]))
        entries[index].vote(vote.origin, vote.counted)
    return entries


def _ranked(entries: Sequence[_Entry]) -> list[_Entry]:
    """Sort crystals by their votes; of equal ones more methods, then more symmetry, come first."""
    families: dict[int, list[_Entry]] = {}
    for entry in entries:
        families.setdefault(entry.family, []).append(entry)

    def key(entry: _Entry, voters: list[_Entry]) -> tuple[float, int, int]:
        methods = {method for voter in voters for method in voter.best}
        return _score(voters), len(methods), entry.member.order

    keys = []
    for family in families.values():
        first = max(family, key=lambda entry: key(entry, [entry]))
        keys += [(key(entry, family if entry is first else [entry]), entry) for entry in family]
    keys.sort(key=lambda item: item[0], reverse=True)
    return [entry for _, entry in keys]


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


def _document(entry: _Entry) -> StructureDoc:
    origins = sorted(entry.origins, key=lambda origin: (origin.rank, origin.method))
    return StructureDoc.from_structure(
        entry.member.structure,
        stage=StructureStage.GENERATED,
        symmetry=SpaceGroupDoc.from_structure(entry.member.structure),
        origins=origins,
    )
