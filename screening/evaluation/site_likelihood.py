"""The tests of Ryan et al. 2018: ``screening evaluate site-likelihood``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from screening.checkpoints import load_checkpoint
from screening.checkpoints.io import file_sha256
from screening.elements import atomic_number
from screening.errors import InputError
from screening.evaluation.site_plots import site_plots
from screening.evaluation.site_ranking_tests import (
    rank_figures,
    score_figures,
    structure_ranks,
    system_scores,
)
from screening.prototypes.bank import Bank
from screening.site_likelihood import BANK
from screening.site_likelihood.compositions import LikelyCompositions
from screening.site_likelihood.data import SiteTable
from screening.site_likelihood.likelihood import SiteLikelihood
from screening.site_likelihood.metrics import site_metrics
from screening.site_likelihood.templates import Score, Templates, template_scores
from screening.training.data import STRUCTURE_COLUMNS, canonical_formulas, read_table, unseen
from screening.training.request import parse_options, plain_metrics

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from screening.crystal.crystals import Crystal
    from screening.site_likelihood.templates import Singles
    from screening.training.request import EvaluateRequest

SCORES: tuple[Score, ...] = ("classes", "product")
LISTED = 10
"""Compositions of a case study that are listed."""

Drawn = tuple["NDArray[np.float64]", dict[int, "NDArray[np.float64]"]]
"""Ranks of test 1 and optimality scores of test 2, for the figures."""


class SiteEvaluation(BaseModel):
    """Options of ``screening evaluate site-likelihood``."""

    model_config = ConfigDict(extra="forbid")

    bank: str = Field(
        BANK, description="Bank whose prototypes are the templates; empty: build it from the file"
    )
    cases: str = Field("Mn-Ge,Li-Mn-Ge", description="Systems that are looked at, by commas")


@dataclass(frozen=True)
class _Measured:
    """Crystals, and what is needed to rank them by one choice of templates."""

    crystals: list[Crystal]
    formulas: list[str]
    seen: NDArray[np.uint32]
    seed: int


def evaluate_sites(request: EvaluateRequest) -> dict[str, Any]:
    """Measure site errors, structure ranks, optimality scores and case studies.

    Measured are the crystals of the file whose formulas the networks have not seen. Templates carry
    no elements:

    - ``own_template``: all prototypes, those of the measured crystals included, as in the paper;
    - ``other_templates``: prototypes that are known with formulas that the networks have seen; a
      crystal without a template counts as not found.

    Returns
    -------
    Plain JSON; shares with 95 % bootstrap intervals.

    Raises
    ------
    InputError
        If nothing is left to measure, or an option is wrong.
    """
    options = parse_options(SiteEvaluation, request.options)
    checkpoint = load_checkpoint(request.checkpoint or "site-likelihood")
    model = checkpoint.build(SiteLikelihood, "site-likelihood")
    table = read_table(request.data, STRUCTURE_COLUMNS).reset_index(drop=True)
    formulas = canonical_formulas(table["formula"].tolist())
    new = unseen(formulas, checkpoint.tensors["seen_formulas"])
    rows = np.flatnonzero(new)
    if request.sample is not None:
        rows = np.random.default_rng(request.seed).permutation(rows)[: request.sample]
    if not len(rows):
        raise InputError(f"{request.data}: the checkpoint has seen all formulas; give other data")
    described = SiteTable.of(table.iloc[rows])
    sites, crystals = described.sites, described.crystals
    measured = _Measured(
        crystals, described.formulas, checkpoint.tensors["seen_formulas"], request.seed
    )
    banks = _banks(options.bank, table, new, measured.seen)
    results: dict[str, Any] = {
        "n": len(crystals),
        "sites": site_metrics(model, sites, np.arange(len(sites)), seed=request.seed),
    }
    drawn: dict[str, dict[Score, Drawn]] = {}
    cases = [_system(text) for text in options.cases.split(",") if text]
    for name, bank in banks.items():
        results[name], drawn[name] = _measure(model, bank, measured, cases, formulas)
    results |= {
        "data_sha256": file_sha256(request.data),
        "checkpoint": {"name": model.ref.name, "sha256": model.ref.sha256},
        "seed": request.seed,
    }
    if request.plots:
        seen = np.unique(sites.species)
        results["plots"] = site_plots(model, seen, drawn, request.seed)
    plain: dict[str, Any] = plain_metrics(results)
    return plain


def _banks(
    name: str, table: pd.DataFrame, new: NDArray[np.bool_], seen: NDArray[np.uint32]
) -> dict[str, Bank]:
    """Choose the templates of both parts."""
    if name:
        bank = Bank.load(name)
        return {
            "own_template": bank,
            "other_templates": bank.subset(~unseen(bank.formulas, seen)),
        }
    return {
        "own_template": Bank.from_table(table),
        "other_templates": Bank.from_table(table[~new]),
    }


def _measure(
    model: SiteLikelihood,
    bank: Bank,
    measured: _Measured,
    cases: list[tuple[str, list[int]]],
    formulas: list[str],
) -> tuple[dict[str, Any], dict[Score, Drawn]]:
    """Do both tests and the case studies with one choice of templates, by each score."""
    likelihoods = model.of_bank(bank)
    known = ~unseen(bank.formulas, measured.seen)
    tables: dict[str, Singles] = {
        score: template_scores(bank, likelihoods, score, known=known) for score in SCORES
    }
    ranks = structure_ranks(Templates(bank), tables, measured.crystals)
    results: dict[str, Any] = {"templates": bank.n_prototypes}
    drawn: dict[Score, Drawn] = {}
    for score in SCORES:
        likely = LikelyCompositions(bank, tables[score])
        scores, missing = system_scores(likely, measured.formulas)
        results[score] = {
            "test1": rank_figures(ranks[score], measured.seed),
            "test2": score_figures(scores, measured.seed) | {"n_missing": missing},
            "cases": {
                name: _case(likely, elements, formulas, measured.seen) for name, elements in cases
            },
        }
        drawn[score] = (ranks[score], scores)
    return results, drawn


def _system(text: str) -> tuple[str, list[int]]:
    """Read a chemical system such as ``Li-Mn-Ge``."""
    return text.strip(), [atomic_number(symbol) for symbol in text.strip().split("-")]


def _case(
    likely: LikelyCompositions, elements: list[int], formulas: list[str], seen: NDArray[np.uint32]
) -> dict[str, Any]:
    """List the first compositions of a system, and the places of those in the file."""
    ranked = likely.of(elements)
    names = ranked.compositions().formulas()
    in_file = set(formulas)
    new = unseen(names, seen)
    rows = [
        {
            "rank": place + 1,
            "formula": name,
            "score": ranked.scores[place],
            "template": likely.bank.name(int(ranked.prototypes[place])),
            "known": name in in_file,
            "seen": not new[place],
        }
        for place, name in enumerate(names)
        if place < LISTED or name in in_file
    ]
    return {
        "n": len(names),
        "first": [row for row in rows if row["rank"] <= LISTED],
        "known": [row for row in rows if row["known"]],
    }
