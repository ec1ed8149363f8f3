from __future__ import annotations

import json

import pytest

from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances import Connection, check_console_url, connection_from_environment

TOKEN = "eyJ0ZXN0.c2VjcmV0.canary"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://usea1-acme.sentinelone.net", "https://usea1-acme.sentinelone.net"),
        ("usea1-acme.sentinelone.net", "https://usea1-acme.sentinelone.net"),
        (" https://USEA1-acme.sentinelone.net/ ", "https://usea1-acme.sentinelone.net"),
        ("https://console.corp:443", "https://console.corp"),
        ("https://console.corp:8443", "https://console.corp:8443"),
        ("http://127.0.0.1:18080", "http://127.0.0.1:18080"),
        ("http://localhost:18080", "http://localhost:18080"),
        ("http://[::1]:18080", "http://[::1]:18080"),
    ],
)
def test_console_urls_are_brought_to_one_form(text: str, url: str) -> None:
    assert check_console_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "http://usea1-acme.sentinelone.net",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "https://user@usea1-acme.sentinelone.net",
        "https://usea1-acme.sentinelone.net@evil.example",
        "https://usea1-acme.sentinelone.net:pass@evil.example",
        "https://usea1-acme.sentinelone.net/web/api",
        "https://usea1-acme.sentinelone.net?x=1",
        "https://usea1-acme.sentinelone.net#x",
        "https://evil.example\\.sentinelone.net",
        "https://evil.example%2f.sentinelone.net",
        "https://usea1-acme.sentinelone.net:port",
        "https://usea1-acme.sentinelone.net:99999",
        "ftp://usea1-acme.sentinelone.net",
        "https://",
        "https://-acme.sentinelone.net",
        "https://ac me.sentinelone.net",
        "http://[::ffff:10.0.0.1]",
    ],
)
def test_tricks_in_the_console_url_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        check_console_url(text)


def test_connection_from_json_variable() -> None:
    value = json.dumps({"conn_type": "sentinelone", "host": "https://a.sentinelone.net", "password": TOKEN})
    connection = connection_from_environment("sentinelone_emea", {"AIRFLOW_CONN_SENTINELONE_EMEA": value})
    assert connection == Connection("https://a.sentinelone.net", TOKEN)
    assert connection.console == "a.sentinelone.net"


def test_port_of_the_connection_is_part_of_the_console() -> None:
    value = json.dumps({"conn_type": "sentinelone", "host": "http://127.0.0.1", "port": 18080, "password": TOKEN})
    assert connection_from_environment("x_y", {"AIRFLOW_CONN_X_Y": value}).console == "127.0.0.1:18080"


def test_port_443_of_the_form_does_not_replace_a_port_in_the_host() -> None:
    value = json.dumps({"conn_type": "sentinelone", "host": "http://127.0.0.1:18080", "port": 443, "password": TOKEN})
    assert connection_from_environment("x_y", {"AIRFLOW_CONN_X_Y": value}).console == "127.0.0.1:18080"


def test_connection_from_uri_variable() -> None:
    value = f"sentinelone://:{TOKEN}@a.sentinelone.net:443"
    assert connection_from_environment("x_y", {"AIRFLOW_CONN_X_Y": value}).token == TOKEN


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        '{"conn_type": "sentinelone", "host": "https://a.b", "password": "' + TOKEN,
        json.dumps({"conn_type": "http", "host": "https://a.b", "password": TOKEN}),
        json.dumps({"conn_type": "sentinelone", "password": TOKEN}),
        json.dumps({"conn_type": "sentinelone", "host": "https://a.b"}),
        json.dumps({"conn_type": "sentinelone", "host": "https://a.b/" + TOKEN + "?t=" + TOKEN, "password": ""}),
        json.dumps({"conn_type": "sentinelone", "host": "https://a.b", "password": TOKEN + "\n x"}),
    ],
)
def test_wrong_variables_are_refused_without_showing_the_token(value: str | None) -> None:
    environment = {} if value is None else {"AIRFLOW_CONN_X_Y": value}
    with pytest.raises(ConfigurationError) as caught:
        connection_from_environment("x_y", environment)
    assert "canary" not in str(caught.value)


def test_text_form_of_a_connection_hides_the_token() -> None:
    assert "canary" not in repr(Connection("https://a.sentinelone.net", TOKEN))
