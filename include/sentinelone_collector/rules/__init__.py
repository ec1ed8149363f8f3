"""The built-in rules: one YAML file per rule, in a folder per family; a new file is a new rule."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BUILT_IN"]

BUILT_IN = Path(__file__).resolve().parent
