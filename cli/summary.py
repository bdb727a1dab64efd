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
from screening.schemas import Stage
from stores.queries.documents import (
    CURRENT,
    MATERIAL_FIELDS,
    MAX_PAGE,
    campaign_funnel,
    failed_tasks,
    find,
    task_states,
)

if TYPE_CHECKING:
    from screening.schemas import CampaignDoc
    from stores import Database


def print_campaigns(database: Database, *, as_json: bool, as_csv: bool) -> None:
    """List all campaigns, the last one first."""
    fields = ["name", "campaign_id", "state", "launcher", "created", "updated", "error"]
    rows = list(database.rows("campaigns", {}, fields, sort={"updated": -1}))
    if not rows and not (as_json or as_csv):
        console.print(
            "no campaign yet: [bold]screening init[/], then [bold]screening run campaign.yaml[/]"
        )
        return
    show(rows, {field: field for field in fields}, as_json=as_json, as_csv=as_csv)


def print_status(database: Database, campaign: CampaignDoc, *, as_json: bool, as_csv: bool) -> None:
    """Show the funnel, the tasks and the failures of one campaign."""
    funnel = campaign_funnel(database, campaign.campaign_id)
    tasks = task_states(database, campaign.campaign_id)
    failures = failed_tasks(database, campaign.campaign_id)
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
    criteria = {"campaign_ids": campaign.campaign_id, **CURRENT}
    window = f"energy_above_hull<={_limit(campaign)!r}"
    page = find(database, window, fields=MATERIAL_FIELDS, limit=MAX_PAGE, criteria=criteria)
    if not page.rows:
        console.print(
            "no crystal came near the hull: widen the space, or raise hull.max_above_hull"
        )
        return
    best: dict[str, dict[str, Any]] = {}
    for row in page.rows:
        first = best.setdefault(row["formula_pretty"], {**material_row(row), "others": -1})
        first["others"] += 1
    rows = list(best.values())[:limit]
    show(rows, {**material_columns(rows), "others": "others"}, title="best crystal of each formula")
    for line in material_notes(rows):
        console.print(line, markup=False, highlight=False)
    n, formulas = len(page.rows), len(best)
    console.print(
        f"{n} crystals of {formulas} formulas within {_limit(campaign)} eV/atom of their hulls"
    )


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
