"""The registry as a person meets it: a simulated console behind the form, a real lake and store, a fake Airflow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import yaml
from tests.console.conftest import NOW, Console, write_receipt_of

from sentinelone_collector.console import DagState, registering
from sentinelone_collector.console.checking import try_console
from sentinelone_collector.console.forms import slug_of
from sentinelone_collector.instances import Connection, Destination, load_instance
from sentinelone_collector.simulator import Simulator

WRONG = "eyJ" + "wrong" * 12
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def source() -> Iterator[Simulator]:
    with Simulator(seed=3, records_per_day=300, days=2, now=lambda: NOW, rate_limits=False) as simulator:
        yield simulator


@pytest.fixture
def other_token() -> str:
    return "eyJ" + "second" * 12


def form(source: Simulator, **fields: Any) -> dict[str, Any]:
    return {"name": "EMEA production", "domain": source.url, "token": source.token, "streams": ["activities"]} | fields


def test_a_new_user_adds_an_instance_with_a_wrong_token_first(console: Console, source: Simulator) -> None:
    client = console.as_("op")
    assert "No application yet" in client.get("/").text
    refused = client.post("/api/instances", json=form(source, token=WRONG))
    assert refused.status_code == 422
    assert list(refused.json()["error"]["fields"]) == ["token"]
    assert console.airflow.connections == {}
    assert not list(console.site.settings.instances.glob("*"))

    added = client.post("/api/instances", json=form(source, collection_start="2026-11-20T16:00:00Z"))
    assert added.status_code == 201
    assert added.json()["state"] == "Configured"
    instance = load_instance(console.site.settings.instances / "emea_production.yaml", now=NOW)
    assert (instance.name, instance.live_since) == ("EMEA production", NOW)
    assert instance.collection_start == NOW.replace(day=20, hour=16)
    assert console.site.connection_for(instance.connection_id) == Connection(source.url, source.token)
    page = client.get(added.json()["location"]).text
    assert "EMEA production: Configured." in page


def test_the_key_is_never_shown_again(console: Console, source: Simulator) -> None:
    client = console.as_("op")
    texts = [client.post("/api/instances", json=form(source, key="k1")).text]
    texts += [client.post("/api/instances", json=form(source, domain="https://evil.example")).text]
    texts += [client.post("/api/instances", json=form(source, every=source.token)).text]
    texts += [client.post("/api/instances/emea_production/token", json={"token": source.token}).text]
    texts += [client.post("/api/instances/emea_production/token", json={"token": [source.token]}).text]
    texts += [client.get(path).text for path in ("/", "/instances/emea_production", "/api/instances", "/coverage")]
    texts += [str(console.site.store.list_changes()), repr(console.site.store.get_checks())]
    texts += [path.read_text() for path in console.site.settings.instances.iterdir()]
    assert len(texts) == 12
    assert not [text for text in texts if source.token in text]


def test_a_second_click_makes_no_second_one(console: Console, source: Simulator) -> None:
    answers: list[Any] = []
    client = console.as_("op")

    def click() -> None:
        answers.append(client.post("/api/instances", json=form(source, key="one-form")))

    clicks = [threading.Thread(target=click) for _ in range(3)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    answers.append(client.post("/api/instances", json=form(source, key="one-form", name="Another name")))
    assert {(answer.status_code, answer.json()["slug"]) for answer in answers} == {(201, "emea_production")}
    assert set(console.airflow.connections) == {"sentinelone_emea_production"}
    assert [change.action for change in console.site.store.list_changes()] == ["add"]


def test_a_second_click_while_the_first_one_writes_makes_no_second_one(
    console: Console, source: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, answers, read = console.as_("op"), [], threading.Event()
    remember, new_instance = registering.remember, registering._new_instance

    def click() -> None:
        answers.append(client.post("/api/instances", json=form(source, key="one-form")))

    second = threading.Thread(target=click)

    def new_instances(*given: Any) -> Any:
        try:
            return new_instance(*given)
        finally:
            read.set()

    def between_file_and_key(*given: Any) -> None:
        read.clear()
        second.start()
        read.wait()
        remember(*given)

    monkeypatch.setattr(registering, "_new_instance", new_instances)
    monkeypatch.setattr(registering, "remember", between_file_and_key)
    click()
    second.join()
    assert {(answer.status_code, answer.json()["slug"]) for answer in answers} == {(201, "emea_production")}


def test_a_taken_name_is_refused_at_its_field(console: Console, source: Simulator) -> None:
    console.register("emea_production")
    answer = console.as_("op").post("/api/instances", json=form(source))
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (409, ["slug"])
    console.airflow.connections["sentinelone_apac"] = {"host": "https://kept.example", "port": 443, "password": "kept"}
    answer = console.as_("op").post("/api/instances", json=form(source, slug="apac"))
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (409, ["slug"])
    assert console.airflow.connections["sentinelone_apac"]["password"] == "kept"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"domain": "https://console.example.com"}, "domain"),
        ({"domain": "http://usea1-example.sentinelone.net"}, "domain"),
        ({"domain": "https://user:pass@usea1-example.sentinelone.net"}, "domain"),
        ({"token": "with space"}, "token"),
        ({"collection_start": "yesterday"}, "collection_start"),
        ({"collection_start": "2020-01-01T16:00:00Z"}, "collection_start"),
        ({"collection_start": "2027-01-01T16:00:00Z"}, "collection_start"),
        ({"every": "7m"}, "every"),
        ({"streams": ["activities", "secrets"]}, "streams"),
        ({"slug": "../../etc"}, "slug"),
        ({"slug": "Emea"}, "slug"),
        ({"name": ""}, "name"),
        ({"name": "日本"}, "slug"),
        ({"deliver_to": ["/etc/cron.d"]}, "deliver_to"),
        ({"deliver_to": ["delivered/../../.."]}, "deliver_to"),
        ({"deliver_to": ["C:\\temp"]}, "deliver_to"),
        ({"deliver_to": ["s3://UPPER/x"]}, "deliver_to"),
        ({"surplus": "1"}, "surplus"),
    ],
)
def test_a_mistake_is_told_at_its_field(
    console: Console, source: Simulator, fields: dict[str, Any], wrong: str
) -> None:
    answer = console.as_("op").post("/api/instances", json=form(source, **fields))
    assert answer.status_code == 422
    assert list(answer.json()["error"]["fields"]) == [wrong]
    assert answer.json()["error"]["fields"][wrong]
    assert console.airflow.connections == {}


def test_a_stream_that_the_token_may_not_read_is_told(console: Console) -> None:
    with Simulator(
        seed=3, records_per_day=100, days=1, now=lambda: NOW, faults=["403-stream:stream=threats"]
    ) as source:
        answer = console.as_("op").post("/api/instances", json=form(source, streams=["activities", "threats"]))
    assert list(answer.json()["error"]["fields"]) == ["streams"]
    assert "threats" in answer.json()["error"]["fields"]["streams"]


def test_an_unwritable_folder_gives_the_file_to_commit(console: Console, source: Simulator, tmp_path: Any) -> None:
    (tmp_path / "instances.d").write_text("a file where the folder should be")
    object.__setattr__(console.site.settings, "instances", tmp_path / "instances.d" / "deeper")
    answer = console.as_("op").post("/api/instances", json=form(source, deliver_to=["delivered", "s3://my-lake/x"]))
    commit = answer.json()["commit"]
    assert answer.json()["state"] == "File to commit"
    assert commit["path"].endswith("emea_production.yaml")
    content = yaml.safe_load(commit["text"])
    assert content["destinations"] == [
        {"type": "file", "path": "delivered"},
        {"type": "s3", "bucket": "my-lake", "prefix": "x"},
    ]
    assert set(console.airflow.connections) == {"sentinelone_emea_production"}


def test_half_an_instance_is_taken_back(console: Console, source: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the store is away; secret-of-the-store")

    monkeypatch.setattr("sentinelone_collector.console.registering.remember", fail)
    answer = console.as_("op").post("/api/instances", json=form(source))
    assert answer.status_code == 500
    assert "secret-of-the-store" not in answer.text
    assert console.airflow.connections == {}
    assert not list(console.site.settings.instances.glob("*.yaml"))


def test_a_file_that_appears_meanwhile_stays(
    console: Console, source: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*arguments: Any) -> Any:
        console.register("emea_production", name="Of somebody else")
        return try_console(*arguments)

    monkeypatch.setattr("sentinelone_collector.console.registering.try_console", ask)
    assert console.as_("op").post("/api/instances", json=form(source)).status_code == 422
    assert console.site.inventory.get("emea_production").name == "Of somebody else"
    assert console.airflow.connections == {}


def test_a_token_near_its_end_is_shown(console: Console) -> None:
    ends = NOW + timedelta(days=5, hours=1)
    with Simulator(seed=3, records_per_day=100, days=1, now=lambda: NOW, token_expires=ends) as source:
        console.as_("op").post("/api/instances", json=form(source, slug="emea"))
        console.airflow.known["sentinelone__emea"] = DagState(is_paused=False)
        # a window that is complete, so that nothing more urgent is to be said
        instance = console.site.inventory.get("emea")
        write_receipt_of(console.site, instance, instance.calendar.last_ended(NOW))
        page = console.as_("viewer").get("/").text
    assert "Token expires in 5 days" in page


def test_the_old_token_stays_until_the_new_one_is_proven(console: Console, source: Simulator) -> None:
    client = console.as_("op")
    client.post("/api/instances", json=form(source, slug="emea"))
    refused = client.post("/api/instances/emea/token", json={"token": WRONG})
    assert (refused.status_code, list(refused.json()["error"]["fields"])) == (422, ["token"])
    assert console.airflow.connections["sentinelone_emea"]["password"] == source.token
    console.airflow.connections["sentinelone_emea"]["password"] = WRONG
    assert client.post("/api/instances/emea/token", json={"token": source.token}).status_code == 200
    assert console.airflow.connections["sentinelone_emea"]["password"] == source.token
    assert [change.action for change in console.site.store.list_changes()] == ["rotate token", "add"]


def test_edit_keeps_the_calendar_and_sees_what_others_did(console: Console) -> None:
    console.register("emea", every="1h", destinations=(Destination.model_validate({"type": "file", "path": "old"}),))
    client = console.as_("op")
    page = client.get("/instances/emea").text
    version = page.split('name="version" value="')[1].split('"')[0]
    fields = {"name": "New name", "streams": ["activities"], "collection_start": "2026-11-21", "deliver_to": ["new"]}
    assert client.put("/api/instances/emea", json=fields | {"version": version}).status_code == 200
    edited = console.site.inventory.get("emea")
    assert (edited.name, edited.every, edited.live_since) == ("New name", timedelta(hours=1), NOW.replace(hour=10))
    assert edited.destinations[0].options == {"path": "new"}
    stale = client.put("/api/instances/emea", json=fields | {"version": version, "name": "Overwritten"})
    assert stale.status_code == 409
    assert console.site.inventory.get("emea").name == "New name"


def test_remove_keeps_the_data_and_a_connection_that_others_use(console: Console) -> None:
    console.register("emea")
    console.register("apac", connection_id="sentinelone_emea")
    console.airflow.connections["sentinelone_emea"] = {"host": "https://x.example", "port": 443, "password": "t"}
    console.site.lake.put("raw/instance=emea/kept", b"kept")
    client = console.as_("op")
    assert client.delete("/api/instances/emea").status_code == 200
    assert [one.slug for one in console.site.inventory.instances] == ["apac"]
    assert "sentinelone_emea" in console.airflow.connections
    assert client.delete("/api/instances/apac").status_code == 200
    assert console.airflow.connections == {}
    assert console.site.lake.read("raw/instance=emea/kept") == b"kept"
    assert client.delete("/api/instances/apac").status_code == 404


def test_a_check_that_is_old_or_never_was_is_made_anew(console: Console, source: Simulator) -> None:
    console.register("emea")
    console.airflow.connections["sentinelone_emea"] = {"host": source.url, "port": "", "password": source.token}
    assert 'data-stale="emea"' in console.as_("user").get("/").text
    assert "data-stale" not in console.as_("viewer").get("/").text
    assert console.as_("user").post("/api/instances/emea/check", json={}).json()["ok"] is True
    assert "data-stale" not in console.as_("user").get("/").text
    assert console.as_("viewer").get("/api/instances/emea").json()["token_expires_at"]


def test_pause_and_resume_are_logged_with_the_user(console: Console) -> None:
    console.register("emea")
    for verb, paused in (("pause", True), ("resume", False)):
        assert console.as_("user").post(f"/api/instances/emea/{verb}", json={}).status_code == 200
        assert console.airflow.known["sentinelone__emea"].is_paused is paused
    assert [(change.user, change.action) for change in console.site.store.list_changes()] == [
        ("user", "resume"),
        ("user", "pause"),
    ]


def test_names_are_text_and_never_code(console: Console) -> None:
    console.register("emea", name=HOSTILE)
    (console.site.settings.instances / "broken.yaml").write_text(f"name: [{HOSTILE}\n")
    console.site.store.record_change(user=HOSTILE, action="add", target="emea", detail=HOSTILE, now=NOW)
    for path in ("/", "/instances/emea", "/coverage?instance=emea", f"/?done={HOSTILE}", f"/instances/{HOSTILE}"):
        text = console.as_("op").get(path).text
        assert "<script>alert" not in text, path
        assert "<img" not in text, path
    assert "&lt;script&gt;alert(1)" in console.as_("op").get("/instances/emea").text


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("EMEA production", "emea_production"),
        ("  2nd Größe! ", "nd_groe"),
        ("x", ""),
        ("日本", ""),
        ("a" * 60, "a" * 40),
    ],
)
def test_a_short_name_is_made_from_the_name(name: str, slug: str) -> None:
    assert slug_of(name) == slug
