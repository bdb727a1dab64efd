"""`screening init`, `run`, `resume`, `status`: campaigns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli import summary
from cli.formatting import console
from cli.progress import stage_bars
from cli.summary import print_campaign
from cli.types import CampaignName, CsvFlag, JsonFlag, Quiet
from flows.campaign import CampaignMaker
from flows.config import EXAMPLE, load_campaign
from flows.launch import run_campaign, submit_campaign
from makers.fields import build_maker
from screening.errors import InputError
from stores import open_database
from stores.queries.documents import find_campaign

Launcher = Annotated[str, typer.Option("--launcher", help="local or fireworks.")]


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write.")] = Path(),
    full: Annotated[bool, typer.Option("--full", help="Write every section and value.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
) -> None:
    """Write an example campaign.yaml to start from."""
    path = folder / "campaign.yaml"
    if path.exists() and not force:
        raise InputError(f"{path} exists: use --force to replace it")
    text = EXAMPLE
    if full:
        import yaml

        from flows.campaign import CampaignMaker
        from flows.config import dump_campaign
        from makers.fields import build_maker

        text = dump_campaign(build_maker(CampaignMaker, yaml.safe_load(EXAMPLE)))
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    name = escape(str(path))
    console.print(f"wrote {name}; next: [bold]screening run {name}[/]", highlight=False)


def run(
    file: Annotated[Path, typer.Argument(help="Campaign file (YAML).")],
    launcher: Launcher = "local",
    check: Annotated[bool, typer.Option("--check", help="Only check the file.")] = False,
    quiet: Quiet = False,
) -> None:
    """Run a campaign. Completed tasks are skipped."""
    campaign = load_campaign(file)
    campaign.check()
    if check:
        from cli.formatting import console

        batches = campaign.generation.generator().n_batches()
        text = f"{file} is a valid campaign: {batches} batches of compositions"
        console.print(text, markup=False)
        return
    _launch(campaign, launcher, quiet=quiet)


def resume(
    campaign: CampaignName = None,
    launcher: Launcher = "local",
    quiet: Quiet = False,
) -> None:
    """Resume an interrupted campaign."""
    document = find_campaign(open_database(), campaign)
    _launch(build_maker(CampaignMaker, document.config), launcher, quiet=quiet)


def _launch(campaign: object, launcher: str, *, quiet: bool) -> None:
    assert isinstance(campaign, CampaignMaker)
    if launcher == "local":
        run_here(campaign, quiet=quiet)
    elif launcher == "fireworks":
        _submit(campaign)
    else:
        raise InputError(f"{launcher=} must be local or fireworks")


def run_here(campaign: object, *, quiet: bool) -> None:
    """Run a campaign in this process and print what it gave."""
    assert isinstance(campaign, CampaignMaker)
    with stage_bars(quiet=quiet):
        document = run_campaign(campaign)
    print_campaign(open_database(), document)
    console.print(
        f"\nnext: [bold]screening report {escape(campaign.name)}[/] (HTML, CIF files), "
        f"[bold]screening show ID[/], [bold]screening lineage ID[/], "
        "[bold]screening query 'energy_above_hull<0.05'[/]",
        highlight=False,
    )


def _submit(campaign: object) -> None:

    assert isinstance(campaign, CampaignMaker)
    document, fireworks = submit_campaign(campaign)
    console.print(
        f"submitted {escape(document.name)} ({document.campaign_id}) "
        f"as {len(fireworks)} fireworks; the steps that follow are added while it runs\n"
        'next: [bold]eval "$(screening config env)" && rlaunch rapidfire[/], then '
        f"[bold]screening status {escape(document.name)}[/]",
        highlight=False,
    )


def status(
    campaign: Annotated[
        str | None, typer.Argument(help="Name or identifier of one; left out: all are listed.")
    ] = None,
    predictions: Annotated[
        bool, typer.Option("--predictions", help="List predictions, too.")
    ] = False,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Show all campaigns, or the funnel, tasks and failures of one."""
    database = open_database()
    if campaign is None:
        summary.print_campaigns(database, predictions=predictions, as_json=as_json, as_csv=as_csv)
    else:
        document = find_campaign(database, campaign)
        summary.print_status(database, document, as_json=as_json, as_csv=as_csv)
