"""Reading the rules of folders into a ruleset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentinelone_collector.detect import compiled
from sentinelone_collector.detect.fields import Catalogue, Columns, event_catalogue
from sentinelone_collector.detect.ruleset import Ruleset
from sentinelone_collector.errors import RuleError

__all__ = ["load_ruleset"]


def load_ruleset(*folders: Path, schema: Any = None, cache: Path | None = None) -> Ruleset:
    """Read all `*.yaml` files below the folders; a wrong file is reported in `problems` and the others still work.

    `schema` is the events' Arrow schema, by default that of normalize. With a folder `cache`, rules without problems
    that were read before are taken from there. Raise `RuleError` where a folder is missing.
    """
    for folder in folders:
        if not folder.is_dir():
            raise RuleError("there is no such folder of rules; correct S1C_RULES", path=folder)
    files = [file for folder in folders for file in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")])]
    key = compiled.key_of(files) if cache is not None and schema is None else None
    if cache is None or key is None:
        return _read(files, event_catalogue() if schema is None else Catalogue(lambda: schema))
    found = compiled.find(cache, key)
    if found is not None:
        rules, aliases, used = found
        return Ruleset(rules, (), Columns(event_catalogue(), aliases, used))
    ruleset = _read(files, event_catalogue())
    if not ruleset.problems:
        compiled.keep(cache, key, (ruleset.rules, ruleset.columns.aliases, ruleset.columns.used))
    return ruleset


def _read(files: list[Path], catalogue: Catalogue) -> Ruleset:
    # loads pySigma, which is needed by nobody who only wants to know what a ruleset is
    from sentinelone_collector.detect.reading import read_rules

    columns = Columns(catalogue)
    rules, problems = read_rules(files, columns)
    return Ruleset(tuple(sorted(rules, key=lambda rule: rule.name)), tuple(problems), columns)
