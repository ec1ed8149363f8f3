"""The console inside real Airflow, in a real browser: what a new user, an operator and a viewer do and see."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import E2E, PATIENCE, Site

from sentinelone_collector.lake import object_key, read_receipt
from sentinelone_collector.simulator import Simulator
from sentinelone_collector.store import Incident
from sentinelone_collector.windows import DAY, Window

CHROMIUM = shutil.which("chromium")
pytestmark = [*E2E, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (Debian: apt install chromium)")]
HOSTILE = "<img src=x onerror=parent.document.title='broken'>"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def source() -> Iterator[Simulator]:
    with Simulator(seed=9, records_per_day=5_000, days=5, rate_limits=False) as simulator:
        yield simulator


class Visitor:
    """One person with a browser; `refused` is what the Content-Security-Policy stopped, `outside` other hosts asked."""

    def __init__(self, browser: Any, site: Site, name: str, *, theme: str = "light") -> None:
        self.site = site
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=theme)
        self.context.set_default_timeout(PATIENCE * 1000)
        self.page = self.context.new_page()
        self.refused: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("request", self._asked)
        self.page.goto(f"{site.layout.url}/auth/login")
        self.page.fill("input[name=username]", name)
        self.page.fill("input[name=password]", json.loads(site.layout.passwords_file.read_text())[name])
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: "login" not in url)
        self.page.evaluate(f"localStorage.setItem('theme', '{theme}')")

    def _heard(self, message: Any) -> None:
        if "Content Security Policy" in message.text:
            self.refused.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.site.layout.url, "data:", "blob:")):
            self.outside.append(request.url)

    def visit(self, path: str, heading: str | None = None) -> Any:
        """Show a page of the console in Airflow's frame, as a click on a link of its own does."""
        frame = self.open()
        self.page.frames[-1].goto(f"{self.site.layout.url}/sentinelone{path}")
        frame.locator("body[data-ready]").wait_for()
        if heading is not None:
            frame.get_by_role("heading", level=1, name=heading).wait_for()
        return frame

    def open(self) -> Any:
        """Open the console as people do, by Airflow's navigation, and return the frame's contents."""
        self.page.goto(self.site.layout.url)
        self.page.get_by_role("link", name="SentinelOne", exact=True).click()
        self.page.wait_for_url("**/plugin/sentinelone")
        frame = self.page.frame_locator("iframe")
        frame.locator("body[data-ready]").wait_for()
        return frame


def _state(site: Site, slug: str) -> str:
    rows = {row["slug"]: row for row in _api(site, "GET", "instances")}
    return str(rows.get(slug, {}).get("state"))


def _api(site: Site, method: str, path: str) -> Any:
    answer = site.airflow._http.request(method, f"{site.layout.url}/sentinelone/api/{path}", timeout=PATIENCE)
    answer.raise_for_status()
    return answer.json()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: those in the documentation are made by `make screenshots`."""
    folder = Path(os.environ.get("S1C_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def worked(site: Site) -> list[Incident]:
    """The open incidents of `beta`, whose history holds an attack."""
    site.wait("the history of beta is collected", lambda: set(_history(site)) <= site.complete("beta"))

    def found() -> list[Incident]:
        return site.installation.store.list_incidents(now=datetime.now(UTC), instance="beta", status="open")

    incidents: list[Incident] = site.wait("beta has incidents", lambda: (some := found()) and len(some) > 3 and some)
    return incidents


def _history(site: Site) -> list[Window]:
    return [window for window in site.due("beta") if window.end - window.start == DAY]


def _words(frame: Any, text: str) -> None:
    frame.get_by_text(text).first.wait_for()


def test_every_page_as_it_is_shown(site: Site, chromium: Any, pictures: Path, worked: list[Incident]) -> None:
    """Makes the pictures of the documentation."""
    day = max(_history(site)).day
    gravest = max(worked, key=lambda each: (each.kind == "anomaly", each.severity_id, each.count))
    pages = (
        ("registry", "/", "Application registry"),
        ("coverage", f"/coverage?instance=beta&day={day}", "Coverage"),
        ("incidents", "/incidents?instance=beta", "Incidents"),
        ("incident", f"/incidents/{gravest.id}", gravest.title),
        ("rules", "/rules", "Rules"),
        ("search", "/search?q=severity_id:>=1&instance=alpha", "Log search"),
    )
    for theme in ("light", "dark"):
        admin = Visitor(chromium, site, "admin", theme=theme)
        admin.page.set_viewport_size({"width": 1120, "height": 720})  # pictures that a page can hold
        for name, path, heading in pages:
            if (theme == "dark") != (name == "incident"):
                continue
            frame = admin.visit(path, heading)
            if name == "search":
                frame.locator("#counts .legend strong").wait_for()
            dark = admin.page.frames[-1].evaluate("document.documentElement.classList.contains('dark')")
            assert dark == (theme == "dark")
            assert not admin.page.frames[-1].evaluate("document.documentElement.scrollWidth > window.innerWidth"), name
            picture = pictures / f"{name}{'-dark' if dark else ''}.png"
            admin.page.screenshot(path=picture)
            assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert (admin.refused, admin.outside) == ([], [])
        admin.context.close()


def test_an_analyst_works_on_incidents(site: Site, chromium: Any, worked: list[Incident]) -> None:
    first, *others = sorted(worked, key=lambda each: each.last_seen)
    store = site.installation.store
    uwe = Visitor(chromium, site, "uwe")
    frame = uwe.visit("/incidents?instance=beta&status=open&size=200&sort=last_seen&order=asc", "Incidents")
    frame.locator(f'tr[data-id="{first.id}"] th a').click()
    frame.get_by_role("heading", level=1, name=first.title).wait_for()
    event = frame.locator("details.event").first
    if event.get_attribute("open") is None:
        event.locator("summary").click()
    raw = event.get_by_label("Raw record").inner_text()
    shown = store.get_incident(first.id, now=datetime.now(UTC)).hits[-1]
    assert set(json.loads(raw)) >= {"id", "activityType", "createdAt"}
    assert f'"id": "{json.loads(raw)["id"]}"' in raw
    assert shown.instance == "beta"
    frame.get_by_label("New note").fill(f"Asked the owner {HOSTILE}")
    frame.get_by_role("button", name="Add note").click()
    frame.locator("article.note").get_by_text("Asked the owner").wait_for()
    frame.locator("summary", has_text="Close …").click()
    frame.locator("#reason").select_option("acceptable_risk")
    frame.get_by_role("button", name="Close", exact=True).click()
    frame.locator("summary", has_text="Reopen …").wait_for()
    closed = store.get_incident(first.id, now=datetime.now(UTC))
    assert (closed.status, closed.status_reason) == ("closed", "acceptable_risk")
    assert [(note.author, note.text) for note in closed.notes] == [("uwe", f"Asked the owner {HOSTILE}")]
    frame = uwe.visit("/incidents?instance=beta&status=open&size=200", "Incidents")
    assert frame.locator(f'tr[data-id="{first.id}"]').count() == 0
    for each in others[:2]:
        frame.locator(f'tr[data-id="{each.id}"] input.pick').check()
    frame.get_by_text("2 selected").wait_for()
    frame.locator("#bulk summary", has_text="Assign …").click()
    frame.get_by_role("button", name="Assign", exact=True).click()
    _words(frame, "2 incidents are assigned to uwe.")
    assigned = store.list_incidents(now=datetime.now(UTC), instance="beta", limit=1000)
    assert {each.id for each in assigned if each.assignee == "uwe"} == {each.id for each in others[:2]}
    assert (uwe.page.title() == "broken", uwe.refused, uwe.outside) == (False, [], [])
    uwe.context.close()


def test_a_rule_is_turned_off_for_one_instance(site: Site, chromium: Any) -> None:
    path = site.installation.settings.instances / "beta.yaml"
    path.write_text(f"# The night shift owns this file.\n{path.read_text()}")
    before = path.read_text()
    olga = Visitor(chromium, site, "olga")
    frame = olga.visit("/rules?text=aa-010", "Rules")
    frame.locator("table.rules").get_by_role("link").first.click()
    frame.get_by_role("button", name="Turn off for EMEA production").click()
    frame.get_by_role("button", name="Turn on for EMEA production").wait_for()
    assert [site.instance(slug).rules.disable for slug in ("beta", "alpha")] == [("aa-010",), ()]
    assert set(before.splitlines()) - set(path.read_text().splitlines()) <= {"  disable: []"}
    frame = olga.visit("/rules?off=beta&text=aa-010", "Rules")
    assert frame.locator("table.rules tbody tr").get_by_text("beta").count() == 1
    frame.locator("table.rules").get_by_role("link").first.click()
    frame.get_by_role("button", name="Turn on for EMEA production").click()
    frame.get_by_role("button", name="Turn off for EMEA production").wait_for()
    assert path.read_text() == before
    assert (olga.refused, olga.outside) == ([], [])
    olga.context.close()


@pytest.mark.parametrize(("name", "sees_raw"), [("uwe", True), ("vera", False)])
def test_a_search_finds_a_record_as_it_was_sent(site: Site, chromium: Any, name: str, sees_raw: bool) -> None:
    site.wait("alpha has windows", lambda: site.complete("alpha"))
    # a page reads for some seconds what is not indexed, and a busy machine may not get through in them
    site.wait("alpha is indexed", lambda: _api(site, "GET", "search/counts?instance=alpha")["exact"])
    visitor = Visitor(chromium, site, name)
    frame = visitor.visit("/search?instance=alpha", "Log search")
    frame.get_by_label("Words to look for").fill("severity_id:>=1 -zzzznothing")
    frame.get_by_role("button", name="Search", exact=True).click()
    # until then the rows and counts are those of the search before, which leave with their page
    visitor.page.frames[-1].wait_for_url(lambda url: "zzzznothing" in url)
    frame.locator("#counts .legend strong").wait_for()
    frame.get_by_role("button", name="Open this event").first.click()
    frame.get_by_role("button", name="Raw record").click()
    text = frame.get_by_role("button", name="Raw record").locator("xpath=../following-sibling::div").inner_text()
    if sees_raw:
        sent = {
            json.loads(line)["id"]: line
            for line in site.consoles["alpha"].truth(site.started - DAY, site.started + DAY)
        }
        assert json.loads(text)["id"] in sent
        assert text.encode() == sent[json.loads(text)["id"]]
    else:
        assert "Records may hold secrets" in text
        assert "activityType" not in text
    assert (visitor.refused, visitor.outside) == ([], [])
    visitor.context.close()


def test_a_new_user_adds_an_instance_and_sees_it_collect(
    site: Site, chromium: Any, source: Simulator, tmp_path: Path
) -> None:
    admin = Visitor(chromium, site, "admin")
    frame = admin.open()
    frame.get_by_role("link", name="Add an application").click()
    frame.locator("body[data-ready] form[data-api]").first.wait_for()
    frame.get_by_label("Application name").fill(HOSTILE)
    frame.get_by_label("Short name").fill("gamma")
    frame.get_by_label("SentinelOne domain").fill("https://evil.example")
    frame.get_by_label("API key").fill("eyJ" + "wrong" * 10)
    send = frame.get_by_role("button", name="Check and add")
    send.click()
    frame.get_by_text("no SentinelOne console").wait_for()
    frame.get_by_label("SentinelOne domain").fill(source.url)
    send.click()
    frame.locator("#e-token").get_by_text("not accepted").wait_for()
    assert "sentinelone__gamma" not in {dag["dag_id"] for dag in site.airflow.call("GET", "dags?limit=100")["dags"]}
    frame.get_by_label("API key").fill(source.token)
    frame.get_by_label("Interval").select_option("5m")
    frame.get_by_label("Collection start").fill(f"{site.started - timedelta(minutes=20):%Y-%m-%dT%H:%M:%SZ}")
    send.dblclick()
    frame.get_by_text("Configured.", exact=False).first.wait_for()
    assert _state(site, "gamma") in {"Configured", "Collecting"}
    site.wait("gamma is collected", lambda: site.complete("gamma"))
    frame = admin.open()
    frame.locator('[data-slug="gamma"]').get_by_text("Collecting").wait_for()
    admin.page.screenshot(path=tmp_path / "registry.png")
    assert admin.page.title() != "broken"
    assert frame.locator("img").count() == 0
    assert source.token not in admin.page.frames[-1].content()
    assert (admin.refused, admin.outside) == ([], [])
    admin.context.close()


def test_a_gap_is_seen_and_collected_again(site: Site, chromium: Any) -> None:
    # a short one, where one has passed today: a whole day takes much longer to collect again
    windows = site.wait("beta has windows", lambda: site.complete("beta"))
    window = min(windows, key=lambda each: (each.end - each.start, each.start))
    lake = site.installation.lake
    before = read_receipt(lake, "beta", "activities", window)
    lake.delete(object_key("receipts", "beta", "activities", window))
    olga = Visitor(chromium, site, "olga", theme="dark")
    frame = olga.open()
    frame.get_by_role("link", name="Coverage", exact=True).first.click()
    frame.get_by_label("Application").select_option("beta")
    # the choice loads the page anew: until then the fields below are those of the first application
    frame.locator('body[data-ready] option[value="beta"][selected]').wait_for(state="attached")
    assert olga.page.frames[-1].evaluate("document.documentElement.classList.contains('dark')")
    # the list of older windows is some minutes old at most; a new process, or time, shows the gap
    frame.get_by_text("Collect a range again").click()
    frame.get_by_label("From").fill(window.start.isoformat())
    frame.get_by_label("To", exact=True).fill(window.end.isoformat())
    frame.get_by_label("All of them").check()
    frame.get_by_role("button", name="Collect", exact=True).click()
    frame.get_by_text("looked at").wait_for()
    site.wait("the window is complete again", lambda: window in site.complete("beta"))
    after = read_receipt(lake, "beta", "activities", window)
    assert before is not None
    assert after is not None
    assert (after.raw_sha256, after.events_sha256) == (before.raw_sha256, before.events_sha256)
    olga.page.frames[-1].goto(
        f"{site.layout.url}/sentinelone/coverage?instance=beta&day={window.day}&window={window.start:%Y%m%dT%H%M%SZ}"
    )
    frame.get_by_role("link", name="Run ").click()
    olga.page.wait_for_url("**/dags/sentinelone__beta/runs/**")
    assert olga.refused == []
    olga.context.close()


def test_a_viewer_sees_everything_and_changes_nothing(site: Site, chromium: Any) -> None:
    vera = Visitor(chromium, site, "vera")
    frame = vera.open()
    frame.locator('[data-slug="beta"]').wait_for()
    assert frame.get_by_role("link", name="Add an application").count() == 0
    frame.locator('[data-slug="beta"]').get_by_role("link", name="EMEA production").first.click()
    frame.get_by_role("heading", name="EMEA production").wait_for()
    assert frame.locator("[data-api]").count() == 0
    headers = {"X-SentinelOne-Console": "1", "Origin": site.layout.url}
    for method, path in (
        ("POST", "instances/beta/pause"),
        ("DELETE", "instances/beta"),
        ("POST", "instances/beta/check"),
    ):
        answer = vera.page.request.fetch(
            f"{site.layout.url}/sentinelone/api/{path}", method=method, data={}, headers=headers
        )
        assert answer.status == 403, path
    vera.context.close()


def test_the_rights_are_those_of_airflow(site: Site, chromium: Any) -> None:
    uwe = Visitor(chromium, site, "uwe")
    headers = {"X-SentinelOne-Console": "1", "Origin": site.layout.url}
    base = f"{site.layout.url}/sentinelone/api/instances/beta"
    assert uwe.page.request.fetch(base, method="DELETE", data={}, headers=headers).status == 403
    assert uwe.page.request.post(f"{base}/check", data={}, headers=headers).status == 200
    assert uwe.page.request.post(f"{base}/check", data={}, headers={"Origin": "https://evil.example"}).status == 403
    anonymous = chromium.new_context()
    assert anonymous.request.get(f"{site.layout.url}/sentinelone/", timeout=PATIENCE * 1000).status == 401
    anonymous.close()
    uwe.context.close()
