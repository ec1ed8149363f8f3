"""Requests to the address that was checked: a name that leads elsewhere a moment later leads nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests.utils

__all__ = ["PinnedAdapter"]


class PinnedAdapter(requests.adapters.HTTPAdapter):
    """Connects to `address_of(host, port)`; certificate, SNI and the header `Host` stay those of the name.

    `address_of` is asked for every request and raises what the request is to fail with. Where a proxy makes the
    connection the name goes to the proxy, whose network and rules decide.
    """

    def __init__(self, address_of: Callable[[str, int | None], str], **options: Any) -> None:
        super().__init__(**options)
        self._address_of = address_of

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> Any:
        """Return a pool of connections to the checked address (of requests)."""
        url = str(request.url)
        if requests.utils.select_proxy(url, proxies):
            return super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        place, attributes = self.build_connection_pool_key_attributes(request, True if verify is None else verify, cert)
        options: dict[str, Any] = {**attributes}
        parts = urlsplit(url)
        request.headers["Host"] = parts.netloc
        if parts.scheme == "https":
            options |= {"server_hostname": place["host"], "assert_hostname": place["host"]}
        place["host"] = self._address_of(parts.hostname or "", parts.port)
        return self.poolmanager.connection_from_host(**place, pool_kwargs=options)
