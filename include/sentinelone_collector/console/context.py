"""What a page or an API function gets: the user, the installation, Airflow, and how to answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from sentinelone_collector.console.errors import Refused
from sentinelone_collector.console.ports import Airflow, Ports, Right, User
from sentinelone_collector.errors import ConfigurationError
from sentinelone_collector.instances import Instance
from sentinelone_collector.pipeline import Installation

__all__ = ["Context", "Ctx"]


@dataclass(frozen=True, slots=True)
class Context:
    """One request of one user."""

    request: Request
    user: User
    ports: Ports
    airflow: Airflow

    @property
    def site(self) -> Installation:
        """The installation."""
        return self.ports.site

    @property
    def base(self) -> str:
        """The path that the console is mounted under, without a slash at its end."""
        return str(self.request.scope.get("root_path", "")).rstrip("/")

    def airflow_path(self, path: str) -> str:
        """Return the path of a page of Airflow itself, for a link marked `data-airflow`."""
        return self.base.rsplit("/", 1)[0] + path

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return self.site.now()

    def may(self, right: Right, slug: str | None = None) -> bool:
        """Say whether the user has a right, for one instance where its slug is given."""
        return self.user.may(right, None if slug is None else f"sentinelone__{slug}")

    def require(self, right: Right, slug: str | None = None) -> None:
        """Raise `Refused` (403) where the user lacks a right."""
        if not self.may(right, slug):
            where = f" of {slug}" if slug else ""
            raise Refused(403, f"{self.user.name} lacks the right to {right}{where} in Airflow; ask an administrator.")

    def instances(self) -> list[Instance]:
        """Return the instances that the user may see, by slug."""
        return [one for one in self.site.inventory.instances if self.may(Right.VIEW, one.slug)]

    def instance(self, slug: str) -> Instance:
        """Return one instance; raise `Refused` (404) where there is none that the user may see."""
        if self.may(Right.VIEW, slug):
            try:
                return self.site.inventory.get(slug)
            except ConfigurationError as error:
                if error.path is not None:
                    raise
        raise Refused(404, f"There is no instance {slug!r} that you may see.")

    def broken_files(self) -> Iterator[ConfigurationError]:
        """Yield what is wrong with inventory files, for users who may see all DAGs."""
        if self.may(Right.VIEW):
            yield from self.site.inventory.errors

    def page(self, template: str, *, title: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page: `template` extends `base.html` and finds `ctx`, `title` and the values."""
        from sentinelone_collector.console.rendering import render

        return HTMLResponse(render(template, ctx=self, title=title, **values), status_code=status)

    def audit(self, action: str, target: str, detail: str = "", *, key: str | None = None) -> None:
        """Write a change into the audit log, with the user; `detail` must hold no secret."""
        self.site.store.record_change(
            user=self.user.name, action=action, target=target, detail=detail, key=key, now=self.now()
        )


async def _context(request: Request) -> Context:
    context: Context = request.state.console
    return context


Ctx = Annotated[Context, Depends(_context)]
