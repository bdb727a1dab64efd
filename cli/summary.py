"""What is shown of a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.formatting import (
    FUNNEL_COLUMNS,
    console,
    funnel_rows,
    material_columns,
    material_notes,
    material_row,
    print_json,
    show,
)
from screening.schemas import StabilityVerdict, Stage
from stores.queries.documents import (
    campaign_funnel,
    failed_tasks,
    task_states,
)
from stores.queries.record import campaign_crystals, reasons_without_hull
from stores.queries.stabilities import campaign_stabilities

if TYPE_CHECKING:
    from screening.schemas import CampaignDoc
    from stores import Database


def print_campaigns(database: Database, *, predictions: bool, as_json: bool, as_csv: bool) -> None:
    """List all campaigns, the last one first; predictions only when they are asked for."""
    fields = ["name", "campaign_id", "kind", "state", "launcher", "created", "updated", "error"]
    rows = list(database.rows("campaigns", {}, fields, sort={"updated": -1}))
    hidden = [] if predictions else [row for row in rows if row.get("kind") == "prediction"]
    rows = [row for row in rows if row not in hidden]
    if not (as_json or as_csv) and hidden:
        console.print(f"{len(hidden)} predictions: [bold]screening status --predictions[/]")
    if not rows and not (as_json or as_csv):
        console.print(
            "no campaign yet: [bold]screening init[/], then [bold]screening run campaign.yaml[/]"
        )
        return
    columns = [field for field in fields if predictions or field != "kind"]
    show(rows, {field: field for field in columns}, as_json=as_json, as_csv=as_csv)


def print_status(database: Database, campaign: CampaignDoc, *, as_json: bool, as_csv: bool) -> None:
    """Show the funnel, the tasks and the failures of one campaign."""
    funnel = campaign_funnel(database, campaign.campaign_id)
    tasks = task_states(database, campaign.campaign_id)
    failures = failed_tasks(database, campaign.campaign_id)
    without_hull = reasons_without_hull(database, campaign.campaign_id)
    if as_json:
        print_json(
            {
                "campaign_id": campaign.campaign_id,
                "name": campaign.name,
                "state": campaign.state,
                "error": campaign.error,
                "funnel": {name: stage.model_dump() for name, stage in funnel.items()},
                "tasks": tasks,
                "failed": failures,
                "without_hull": without_hull,
            }
        )
        return
    rows = funnel_rows(funnel)
    for row in rows:
        row["tasks"] = ", ".join(f"{n} {state}" for state, n in tasks.get(row["stage"], {}).items())
    show(
        rows,
        {**FUNNEL_COLUMNS, "tasks": "tasks"},
        title=f"{campaign.name}: {campaign.state}",
        as_csv=as_csv,
    )
    if campaign.error and not as_csv:
        console.print(f"last error: {campaign.error}", markup=False)
    for reason in [] if as_csv else without_hull:
        console.print(
            f"{reason}: import a structure of the element (`screening references import FILE`)",
            markup=False,
        )
    for failure in [] if as_csv else failures:
        console.print(
            f"failed {failure['stage']} {failure['task_key'][:12]}: {failure['error']}",
            markup=False,
        )


def print_campaign(database: Database, campaign: CampaignDoc, limit: int = 20) -> None:
    """Show the funnel, and the best crystal of each formula of a finished campaign."""
    show(funnel_rows(campaign.funnel), FUNNEL_COLUMNS, title=f"funnel of {campaign.name}")
    if not Stage.last_of(campaign.config["until"]).reaches(Stage.HULL):
        _print_candidates(database, campaign, limit)
        return
    crystals = campaign_crystals(database, campaign.campaign_id)
    window = _limit(campaign)
    near = [row for row in crystals if row["energy_above_hull"] <= window]
    best: dict[str, dict[str, Any]] = {}
    for row in crystals:
        first = best.setdefault(row["formula_pretty"], {**material_row(row), "others": -1})
        first["others"] += 1
    # probabilities are of ambient pressure: beside enthalpies they would mean nothing
    under_pressure = any(row.get("pressure") for row in crystals)
    judged = {} if under_pressure else campaign_stabilities(database, campaign.campaign_id)
    rows = _most_probable(best, judged)[:limit]
    if rows:
        columns = {**material_columns(rows), "others": "others"}
        if judged:
            columns |= {"p_on_hull": "P(on the hull)", "verdict": "verdict"}
        show(rows, columns, title="best crystal of each formula")
    for line in [*material_notes(rows), *_grounds(judged)]:
        console.print(line, markup=False, highlight=False)
    formulas = {row["formula_pretty"] for row in near}
    console.print(
        f"{len(near)} crystals of {len(formulas)} formulas within {window} eV/atom of their hulls"
    )
    if not near:
        console.print(
            "no crystal came near the hull: widen the space, or raise hull.max_above_hull"
        )


def _most_probable(
    best: dict[str, dict[str, Any]], judged: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Order the best crystal of each formula: the most probable formulas first, then by distance.

    A hull alone cannot order them: every stable phase is at 0, and the energies of one potential
    are too low for many phases that nobody has made.
    """
    for formula, row in best.items():
        stability = judged.get(formula)
        if stability is not None:
            row["p_on_hull"] = round(stability["probability"]["on_hull"], 2)
            verdict = StabilityVerdict(stability["verdict"])
            row["verdict"] = verdict.worded(stability["verdict_by"])
            row["stable"] = verdict is StabilityVerdict.STABLE
    return sorted(
        best.values(),
        key=lambda row: (
            not row.get("stable"),
            -row.get("p_on_hull", -1.0),
            row["energy_above_hull"],
        ),
    )


def _grounds(judged: dict[str, dict[str, Any]]) -> list[str]:
    """Say what probabilities and verdicts rest on."""
    return [
        f"P(on the hull): probability that DFT puts it on the hull of {reference}; the "
        "verdict on a compound that it lists is its DFT distance. E_form and E_hull are on the "
        "scale of that table where the potential has an energy scale"
        for reference in sorted({row["reference"] for row in judged.values()})
    ]


def _print_candidates(database: Database, campaign: CampaignDoc, limit: int) -> None:
    """Show the compositions that were chosen, the best first."""
    fields = ["rank", "formula", "score", "energy", "validity", "stage"]
    mine = {"campaign_id": campaign.campaign_id}
    rows = [
        {
            "rank": row["rank"],
            "formula": row["formula"],
            "score": row["score"],
            "E_form": row["energy"]["formation_energy_per_atom"],
            "uncertainty": row["energy"]["uncertainty"],
            "charges": row["validity"]["reason"],
            "reached": row["stage"],
        }
        for row in database.rows("candidates", mine, fields, sort={"rank": 1}, limit=limit)
    ]
    columns = ("rank", "formula", "score", "E_form", "uncertainty", "charges", "reached")
    title = "best compositions, predicted energies in eV/atom"
    show(rows, {name: name for name in columns}, title=title)


def _limit(campaign: CampaignDoc) -> float:
    limit: float = campaign.config["hull"]["max_above_hull"]
    return limit
