"""The fifth stage: structures from several independent methods, in one pool per composition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from makers.base import BANK, Inherited, StageMaker, StageSummary, TaskOutcome, stage_job
from makers.fields import ADDED
from makers.symmetry import candidate_formulas
from screening.composition import n_atoms
from screening.identity import MAX_SEED, derive_seed
from screening.progress import report
from screening.schemas import Stage, StructureDoc, SymmetryDoc
from stores import Database
from stores.queries.criteria import any_of


def _default_methods() -> dict[str, int]:
    return {"prototypes": 8, "random": 4}


@dataclass
class StructureMaker(StageMaker):
    """Generate structures of candidates.

    Attributes
    ----------
    methods
        Generators and how many structures each may propose per composition.
    checkpoint
        Prototype bank; None: the campaign's.
    ranker
        Checkpoint that ranks prototypes.
    energies
        Whether the likeliest prototypes are ranked with energies of the ranker's potential.
    max_atoms
        Maximum number of atoms per cell. Above 20 each of the methods must make such cells.
    top
        Structures per composition that are kept after the methods' ranks are fused.
    given
        Identifiers of structures that are taken as they are, instead of what the methods propose.
    compositions_per_task
        Compositions in one job.
    seed
        Seed; each composition derives its own. None: derived from the campaign's.
    """

    name: str = "structure"
    stage: ClassVar[Stage] = Stage.STRUCTURE
    version: ClassVar[int] = 5
    inherited: ClassVar[dict[str, Inherited]] = {
        "checkpoint": Inherited("bank", BANK),
        "seed": Inherited("seed", None),
    }
    methods: dict[str, Annotated[int, Field(ge=0, le=10_000)]] = field(
        default_factory=_default_methods
    )
    checkpoint: str | None = None
    ranker: str = "ranker"
    energies: bool = True
    max_atoms: Annotated[int, Field(ge=1, le=200)] = 20
    top: Annotated[int, Field(ge=1)] = 10
    given: list[str] = field(default_factory=list, metadata=ADDED)
    compositions_per_task: Annotated[int, Field(ge=1)] = 8
    seed: Annotated[int | None, Field(ge=0, le=MAX_SEED)] = None

    def source(self) -> str | None:
        """Name the checkpoints of the methods, but for the prototypes' own."""
        return " ".join(self._digests().values()) or None

    def _digests(self) -> dict[str, str]:
        """SHA-256 of the checkpoint of each method that has one."""
        from screening.structure import CHECKPOINTS

        used = [method for method in sorted(self.methods) if self.methods[method]]
        return {
            method: self._reference(CHECKPOINTS[method]).sha256
            for method in used
            if method in CHECKPOINTS
        }

    @stage_job
    def make(
        self,
        candidate_ids: list[str],
        symmetries: StageSummary,
        campaign_id: str | None = None,
        *,
        pressure: float = 0.0,
    ) -> StageSummary:
        """Generate the pools of some candidates; the structures are kept in `structures`."""
        from screening.structure import PRESSURE_AWARE

        formulas = candidate_formulas(candidate_ids)
        known = pressure if PRESSURE_AWARE & set(self.methods) else 0.0
        return self.run(
            lambda database: self._generate(
                database, candidate_ids, formulas, symmetries.ids, known
            ),
            inputs={
                "formulas": formulas,
                "symmetry_model": symmetries.data.get("model"),
                "ranker": self._reference(self.ranker).sha256,
                **({"pressure": known} if known else {}),
            },
            n_in=len(candidate_ids),
            campaign_id=campaign_id,
        )

    def _generate(
        self,
        database: Database,
        candidate_ids: list[str],
        formulas: list[str],
        symmetry_ids: list[str],
        pressure: float,
    ) -> TaskOutcome:
        from screening.structure import Target, build_pool, get_generator

        if self.given:
            return self._take_given(database, dict(zip(formulas, candidate_ids, strict=True)))
        query = {**any_of("symmetry_id", symmetry_ids), **any_of("formula", formulas)}
        guesses = {guess.formula: guess for guess in database.find(SymmetryDoc, query)}
        digest = "".join(
            self._reference(name).sha256 for name in (self.checkpoint or BANK, self.ranker)
        )
        prototypes = get_generator(
            "prototypes",
            digest,
            bank=self.checkpoint or BANK,
            ranker=self.ranker,
            energies=self.energies,
        )
        generators = {name: get_generator(name, sha) for name, sha in self._digests().items()}
        generators["prototypes"] = prototypes
        outcome = TaskOutcome(unit="compositions")
        for done, (name, formula) in enumerate(zip(candidate_ids, formulas, strict=True), start=1):
            report(self.stage, done, len(formulas), formula)
            if n_atoms(formula) > self.max_atoms:
                outcome.count("formula has too many atoms")
                continue
            guess = guesses.get(formula)
            target = Target(
                formula=formula,
                max_atoms=self.max_atoms,
                symmetry=guess,
                volume_per_atom=guess.volume_per_atom if guess else None,
                pressure=pressure,
            )
            seed = derive_seed(self.seed or 0, formula)
            pool = build_pool(
                target,
                self.methods,
                seed,
                top=self.top,
                generators=generators,
            )
            outcome.n_out += bool(pool)
            if not pool:
                outcome.count("no structure")
            for document in pool:
                outcome.add(document, [name])
                outcome.ids.append(document.structure_id)
        return outcome

    def _take_given(self, database: Database, candidates: dict[str, str]) -> TaskOutcome:
        """Take the given structures of some candidates, by formula."""
        outcome = TaskOutcome(unit="compositions")
        documents = database.get_many(StructureDoc, self.given, blobs=False)
        chosen = [document for document in documents if document.formula in candidates]
        for document in chosen:
            outcome.add(document, [candidates[document.formula]])
            outcome.ids.append(document.structure_id)
        outcome.n_out = len({document.formula for document in chosen})
        return outcome
