"""What Airflow's provider discovery reads: the connection type with its form."""

from __future__ import annotations

from typing import Any

from sentinelone_collector import __version__

__all__ = ["get_provider_info"]


def get_provider_info() -> dict[str, Any]:
    """Return the provider information (Airflow documentation, "Custom connection types")."""
    return {
        "package-name": "sentinelone-collector",
        "name": "SentinelOne Collector",
        "description": "Collects the logs of SentinelOne consoles, normalized to OCSF and tagged with incidents.",
        "versions": [__version__],
        "hooks": [
            {
                "integration-name": "SentinelOne",
                "python-modules": ["sentinelone_collector.airflow.hook"],
            }
        ],
        "connection-types": [
            {
                "connection-type": "sentinelone",
                "hook-name": "SentinelOne",
                "hook-class-name": "sentinelone_collector.airflow.hook.SentinelOneHook",
                # The port field stays: Airflow 3.3.2's Test button refuses a stored connection without a port.
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login", "extra"],
                    "relabeling": {"host": "Management console URL", "password": "API token"},
                    "placeholders": {
                        "host": "https://usea1-example.sentinelone.net",
                        "port": "443",
                        "password": "API token of a service user (Settings > Users > Service Users)",
                    },
                },
                "conn-fields": {
                    "verify_tls": {
                        "label": "Verify TLS",
                        "description": "Switch off only for a console on premises with a certificate of its own.",
                        "schema": {"type": ["boolean", "null"], "default": True},
                    },
                },
            }
        ],
    }
