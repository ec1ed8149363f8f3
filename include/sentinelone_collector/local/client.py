"""Airflow's public REST API, as far as the local start needs it."""

from __future__ import annotations

from typing import Any

import requests

from sentinelone_collector.errors import CollectorError

__all__ = ["AirflowClient"]


class AirflowClient:
    """A logged-in session with one Airflow, which waits `timeout` seconds for each answer."""

    def __init__(self, url: str, user: str, password: str, *, timeout: float = 300) -> None:
        self._url = url
        self._timeout = timeout
        self._user, self._password = user, password
        self._http = requests.Session()

    def healthy(self) -> bool:
        """Say whether all components report themselves healthy."""
        try:
            answer = self._http.get(f"{self._url}/api/v2/monitor/health", timeout=self._timeout).json()
        except (requests.RequestException, ValueError):
            return False
        wanted = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((answer.get(name) or {}).get("status") == "healthy" for name in wanted)

    def log_in(self) -> None:
        """Get a token for the following calls; raise `CollectorError` where user and password are refused."""
        answer = self._send("POST", "auth/token", {"username": self._user, "password": self._password})
        if not answer.ok:
            raise CollectorError(f"Airflow refuses the log-in of {self._user!r}: HTTP {answer.status_code}")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, *, allow: tuple[int, ...] = (), **body: Any) -> Any:
        """Call `/api/v2/<path>` and return the JSON answer, None for a status in `allow`.

        Raise `CollectorError` for any other failure.
        """
        answer = self._send(method, f"api/v2/{path}", body or None)
        if answer.status_code in allow:
            return None
        if not answer.ok:
            raise CollectorError(f"Airflow: {method} {path} gave HTTP {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else None

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> requests.Response:
        try:
            return self._http.request(method, f"{self._url}/{path}", timeout=self._timeout, json=body)
        except requests.RequestException as error:
            raise CollectorError(f"Airflow: {method} {path} got no answer: {error}") from error

    def put_connection(self, connection_id: str, fields: dict[str, Any]) -> None:
        """Create a connection, or bring an existing one to the given fields."""
        body = {"connection_id": connection_id, **fields}
        if self.call("GET", f"connections/{connection_id}", allow=(404,)) is None:
            self.call("POST", "connections", **body)
        else:
            self.call("PATCH", f"connections/{connection_id}", **body)
