"""How often each service may be asked, per token, as the vendor's table says (hard-coded so in a partner's SDK)."""

from __future__ import annotations

__all__ = ["known_rate"]

# path below /web/api/v2.1 -> requests per second, burst
_RATES: dict[str, tuple[float, int]] = {
    "accounts": (100.0, 10),
    "activities": (10.0, 30),
    "agents": (25.0, 1),
    "service-users": (5.0, 10),
    "sites": (100.0, 10),
    "system/status": (1.0, 1),
    "threats": (10.0, 50),
    "user": (2.0, 5),
    "users": (40.0, 80),
}
# of the services that the table leaves out: alerts, device events, GraphQL and others
_UNKNOWN = (2.0, 5)


def known_rate(path: str) -> tuple[float, int]:
    """Return requests per second and burst of the service at a path like `/threats`; 2 and 5 where none is known."""
    parts = path.strip("/").split("/")
    for length in range(len(parts), 0, -1):
        found = _RATES.get("/".join(parts[:length]))
        if found is not None:
            return found
    return _UNKNOWN
