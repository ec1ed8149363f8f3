"""Collect SentinelOne logs without gaps or duplicates, normalize them to OCSF, tag and deliver them."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("sentinelone-collector")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0.0.0"
