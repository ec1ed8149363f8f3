"""Reading the rules of folders into a ruleset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentinelone_collector.detect.fields import Catalogue, Columns, event_catalogue
from sentinelone_collector.detect.ruleset import Ruleset
from sentinelone_collector.errors import RuleError

__all__ = ["load_ruleset"]


def load_ruleset(*folders: Path, schema: Any = None) -> Ruleset:
    """Read all `*.yaml` files below the folders; a wrong file is reported in `problems` and the others still work.

    `schema` is the events' Arrow schema, by default that of normalize. Raise `RuleError` where a folder is missing.
    """
    # loads pySigma, which is needed by nobody who only wants to know what a ruleset is
    from sentinelone_collector.detect.reading import read_rules

    for folder in folders:
        if not folder.is_dir():
            raise RuleError("there is no such folder of rules; correct S1C_RULES", path=folder)
    catalogue = event_catalogue() if schema is None else Catalogue(schema)
    files = [file for folder in folders for file in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")])]
    columns = Columns(catalogue)
    rules, problems = read_rules(files, columns)
    return Ruleset(tuple(sorted(rules, key=lambda rule: rule.name)), tuple(problems), columns)
