"""The pages in a real browser: figures, filter, live progress, keyboard, accessibility."""

import importlib.util
import io
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dashboard.assets import BUNDLE, ENTRY, FRONTEND
from screening.schemas import CampaignDoc, Stage, TaskRecord

spec = importlib.util.spec_from_file_location("browser", Path(__file__).parent / "browser.py")
driver = importlib.util.module_from_spec(spec)
sys.modules["browser"] = driver
spec.loader.exec_module(driver)

pytestmark = [
    pytest.mark.skipif(driver.chromium() is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(
        importlib.util.find_spec("websockets") is None, reason="needs the extra 'dashboard'"
    ),
]
needs_bundle = pytest.mark.skipif(
    not (BUNDLE / ENTRY).is_file(), reason="figures are not built: make assets"
)
AXE = FRONTEND / "node_modules" / "axe-core" / "axe.min.js"
PAGES = (
    "/", "/campaigns/camp-a", "/discoveries", "/discoveries?elements=Cu&columns=id",
    "/materials/mat-CuPd3.0", "/systems", "/systems/Cu-Pd", "/models", "/models/energy",
    "/health", "/api", "/nothing",
)  # fmt: skip


@contextmanager
def serving(app):
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address(filled):
    from dashboard.app import create_app

    with serving(create_app(filled)) as found:
        yield found


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = driver.Browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def nothing_leaves(browser, address):
    """No test may cause a request to elsewhere, a refused script or an uncaught error."""
    browser.requests.clear()
    browser.complaints.clear()
    browser.prefer()
    yield
    browser.evaluate("1")  # reads the events that are left
    hosts = {urlsplit(url).netloc for url in browser.requests if url.startswith("http")}
    assert hosts <= {urlsplit(address).netloc}
    assert [text for text in browser.complaints if "404" not in text] == []


SETTLED = "!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')"
"""Before that a new link is a plain link: it works, but loads the whole page."""
FORMULAS = "[...document.querySelectorAll('#results tbody tr')].map(r => r.cells[0].innerText)"


@needs_bundle
def test_the_filter_changes_the_list_and_the_address_without_a_reload(browser, address):
    browser.open(f"{address}/discoveries")
    assert len(browser.evaluate(FORMULAS)) == 4
    browser.evaluate("window.__kept = true")
    browser.evaluate("document.querySelector('input[value=Cu]').focus()")
    browser.key(" ", "Space")
    browser.wait(f"{FORMULAS}.length === 3")
    browser.wait("location.search.startsWith('?elements=Cu&match=all&')")
    assert "formula=&" not in browser.evaluate("location.search")
    browser.wait(SETTLED)
    browser.evaluate(
        "[...document.querySelectorAll('th a')].find(a => a.innerText == 'E hull').click()"
    )
    browser.wait(f"{FORMULAS}[0] === 'AgCu'")
    browser.wait("location.search.includes('sort=-e_hull')")
    assert browser.evaluate("window.__kept")
    browser.send("Page.reload")
    browser.wait(f"!window.__kept && {FORMULAS}[0] === 'AgCu'")
    assert browser.evaluate("document.querySelector('input[value=Cu]').checked")


@needs_bundle
def test_the_figures_of_a_material_are_drawn(browser, address):
    from PIL import Image

    browser.prefer(height=3400)
    browser.open(f"{address}/materials/mat-CuPd3.0")
    browser.wait("[...document.querySelectorAll('[data-mv]')].every(e => e.dataset.mvState)")
    states = browser.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[data-mv]')]"
        ".map(e => [e.dataset.mv, e.dataset.mvState + ' ' + e.innerText]))"
    )
    assert set(states) == {"Structure", "ConvexHull", "BandsAndDos", "XrdPlot", "Trajectory"}
    assert [text for text in states.values() if not text.startswith("ready")] == []
    browser.wait("document.querySelector('[data-mv=Structure] canvas') !== null")
    for kind, least in (
        ("Structure", 200),
        ("ConvexHull", 50),
        ("BandsAndDos", 20),
        ("XrdPlot", 20),
        ("Trajectory", 200),
    ):
        deadline = time.monotonic() + 20
        colors = 0
        while colors < least and time.monotonic() < deadline:
            image = Image.open(io.BytesIO(browser.picture(f"[data-mv={kind}]"))).convert("RGB")
            colors = len(image.getcolors(1 << 24))
        assert colors >= least, kind


@needs_bundle
def test_the_flows_of_a_campaign_are_drawn(browser, address):
    browser.prefer(height=3000)
    browser.open(f"{address}/campaigns/camp-a")
    browser.wait("[...document.querySelectorAll('[data-mv]')].every(e => e.dataset.mvState)")
    names = browser.wait(
        "(() => { const drawn = [...document.querySelectorAll('[data-mv=Sankey]')].map(e =>"
        " [...e.querySelectorAll('.node-label')].map(l => l.textContent));"
        " return drawn.every(found => found.length) && drawn })()"
    )
    compositions, structures, methods = map(set, names)
    assert {"into validity 7", "not neutral 2", "valid 5", "chosen 2"} <= compositions
    assert {"proposed 5", "exploded 1", "relaxed 4", "from the database 2"} <= structures
    assert {"prototypes 4", "prototypes + random 1", "on the hull 2"} <= methods
    inside = browser.evaluate(
        "[...document.querySelectorAll('[data-mv=Sankey]')].every(box =>"
        " [...box.querySelectorAll('.node-label')].every(label =>"
        " label.getBoundingClientRect().right <= box.getBoundingClientRect().right))"
    )
    assert inside


def test_the_lineage_is_a_graph_that_the_keyboard_follows(browser, address):
    browser.open(f"{address}/materials/mat-CuPd3.0")
    boxes = browser.evaluate(
        "[...document.querySelectorAll('.graph li')].map(e => e.querySelector('b').innerText)"
    )
    assert boxes[0] == "Candidate CuPd"
    assert boxes[-1] == "Crystal CuPd"
    lengths = browser.evaluate(
        "[...document.querySelectorAll('.graph .arrow')].map(e => e.getTotalLength())"
    )
    assert len(lengths) == len(boxes)  # a chain that forks once
    assert min(lengths) > 20
    browser.evaluate("document.querySelector('.graph').parentElement.focus()")
    for _ in range(3):  # the candidate, its campaign, the model of its energy
        browser.key("Tab")
    assert browser.evaluate("document.activeElement.innerText") == "energy"
    browser.key("Enter")
    browser.wait("location.pathname === '/models/energy'")


def test_a_file_is_downloaded(browser, address):
    browser.open(f"{address}/materials/mat-CuPd3.0")
    browser.evaluate("[...document.querySelectorAll('a')].find(a => a.innerText == 'CIF').click()")
    deadline = time.monotonic() + 10
    path = browser.downloads / "CuPd_mat-CuPd3.0.cif"
    while not path.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
        browser.evaluate("1")
    assert "_symmetry_space_group_name_H-M   Pm-3m" in path.read_text()


@needs_bundle
def test_a_running_campaign_is_followed(browser, address, filled):
    running = CampaignDoc(campaign_id="camp-live", name="live", seed=1, config={}, state="running")
    filled.upsert([running])
    browser.open(f"{address}/campaigns/camp-live")
    assert "No task has finished yet" in browser.evaluate("document.body.innerText")
    summary = {"n_in": 900, "n_out": 700, "n_failed": 0, "reasons": {}, "counted": True,
               "unit": "compositions"}  # fmt: skip
    filled.upsert(
        [
            TaskRecord(
                task_key="live", stage=Stage.VALIDITY, state="finished",
                campaign_ids=["camp-live"], summary=summary, n_inputs=900,
            )
        ]
    )  # fmt: skip
    browser.wait("document.querySelector('.funnel')?.innerText.includes('700')", timeout=10)
    filled.raw("campaigns").delete_one({"campaign_id": "camp-live"})
    filled.raw("tasks").delete_one({"task_key": "live"})


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: make assets")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, address, scheme):
    browser.prefer(scheme)
    found = {}
    for page in PAGES if scheme == "light" else PAGES[1:5]:  # dark differs in its colours
        browser.open(address + page)
        browser.evaluate(AXE.read_text())
        serious = browser.evaluate(
            "axe.run({exclude: [['[data-mv]']]}).then(r => r.violations"
            ".filter(v => ['serious', 'critical'].includes(v.impact))"
            ".map(v => v.id + ' ' + v.nodes.map(n => n.target.join(' ')).slice(0, 3)))"
        )
        if serious:
            found[page] = serious
    assert found == {}


@pytest.mark.parametrize("page", PAGES)
def test_narrow_windows_do_not_scroll_sideways(browser, address, page):
    browser.prefer(width=380, height=800)
    browser.open(address + page)
    width = browser.evaluate("document.documentElement.scrollWidth")
    assert width <= 380
