"""Count what the built-in rules raise in a clean month: `python tests/benchmarks/clean_month.py [--users N --days N]`.

A simulated console in which people do their daily work and threats are found and dealt with, and nobody attacks. Prints
one JSON document: incidents by level and by rule, the severe ones in words, to be judged one by one, and CPU seconds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import ModuleType

from sentinelone_collector.detect import load_ruleset
from sentinelone_collector.detect.anomaly.counters import day_text
from sentinelone_collector.rules import BUILT_IN

_DAY_MS = 86_400_000


def _stage_module() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "stories" / "stage.py"
    spec = importlib.util.spec_from_file_location("stories_stage", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--per-day", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--people", action="store_true", help="leave out what machines do by themselves")
    options = parser.parse_args()
    stories = _stage_module()
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        ruleset = load_ruleset(BUILT_IN)
        stage = stories.Stage(Path(folder), ruleset)
        start = stories.at("2026-03-02")
        records = stories.simulated(
            *(start, options.days),
            users=options.users,
            per_day=options.per_day,
            seed=options.seed,
            without=stories.MACHINES if options.people else (),
        )
        stage.collect(records)
        incidents = stage.incidents()
        stage.store.close()
    judged = {rule.rule for rule in ruleset.judgings}
    anomalies = Counter(day_text(one.first_seen // _DAY_MS) for one in incidents if one.rule_id in judged)
    report = {
        **vars(options),
        "incidents": len(incidents),
        "by_level": dict(Counter(one.level for one in incidents)),
        "by_rule": dict(sorted(Counter(one.rule_id for one in incidents).items())),
        "anomalies_by_day": dict(sorted(anomalies.items())),
        "severe": sorted({f"{one.rule_id}: {one.summary}" for one in incidents if one.level in {"high", "critical"}}),
        "cpu_seconds": round(time.process_time() - begin),
    }
    json.dump(report, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
