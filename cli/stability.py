"""`screening stability`: how likely a composition is stable, and the ladder of evidence."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.formatting import console, print_json, show
from cli.types import JsonFlag
from flows import predict as flow
from screening.stability import climb
from stores import open_database

COLUMNS = {
    "name": "rung",
    "state": "state",
    "value": "value",
    "unit": "unit",
    "ground": "ground",
}


def stability(
    formulas: Annotated[list[str], typer.Argument(help="Compositions, such as Li3MnS4.")],
    prevalence: Annotated[
        float | None,
        typer.Option(
            help="Share of stable compositions among those that you ask about, such as 0.02 for "
            "enumerated ones; left out: that of the Materials Project."
        ),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="From the composition alone, not from the database.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Tell how likely compositions are stable, and climb the ladder of evidence.

    What the database has of a composition is used; without it, the composition alone decides.
    """
    ladders, unanswered = {}, []
    for formula in formulas:
        ladder = None
        if not new and prevalence is None:
            ladder = flow.ladder_of(open_database(), formula)
        if ladder is None:
            unanswered.append(formula)
        else:
            ladders[formula] = ladder
    if unanswered:
        documents = flow.from_composition(unanswered, prevalence)
        ladders |= {f: climb(doc) for f, doc in zip(unanswered, documents, strict=True)}
    answers = [ladders[formula] for formula in formulas]
    if as_json:
        print_json([ladder.model_dump(mode="json") for ladder in answers])
        return
    for ladder in answers:
        rows = [rung.model_dump(mode="json") for rung in ladder.rungs]
        if len(answers) == 1:
            show(rows, COLUMNS)
        console.print(ladder.line, markup=False)
