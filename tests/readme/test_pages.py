"""The documentation says what is: links, tests, variables, tables and examples are compared with the code."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from sentinelone_collector.cli import app
from sentinelone_collector.deliver import known_destinations
from sentinelone_collector.detect import load_ruleset, test_rules
from sentinelone_collector.detect.spec import CLASSIFICATIONS, FAMILIES, IncidentSpec
from sentinelone_collector.instances import Instance, load_instance
from sentinelone_collector.lake.receipts import Receipt
from sentinelone_collector.normalize.streams import get_stream, stream_names
from sentinelone_collector.normalize.table import routes
from sentinelone_collector.rules import BUILT_IN
from sentinelone_collector.simulator.faults import FAULTS
from sentinelone_collector.simulator.main import _parser
from sentinelone_collector.simulator.scenarios import SCENARIOS
from sentinelone_collector.windows import parse_time

from .conftest import PAGES, ROOT, blocks, page, table, words

test_rules.__test__ = False  # type: ignore[attr-defined]  # a function of the product, no test
_VARIABLE = re.compile(r"\bS1C_[A-Z_]+\b")
_NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def _anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{path}: {target}"
        assert not anchor or anchor in _anchors(file), f"{path}: {target}"


def test_every_page_is_in_the_index() -> None:
    index = page("docs/README.md")
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name == "README.md" or f"]({path.name})" in index, path
    decisions = page("docs/adr/README.md")
    for path in (ROOT / "docs" / "adr").glob("0*.md"):
        assert f"]({path.name})" in decisions, path


def test_pictures_say_what_they_show() -> None:
    for path in PAGES:
        for alternative in re.findall(r"!\[([^\]]*)\]\(", path.read_text(encoding="utf-8")):
            assert len(alternative.split()) >= 5, path


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_tests_exist(path: Path) -> None:
    for file, name in _NAMED_TEST.findall(path.read_text(encoding="utf-8")):
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert not name or name in names, f"{path}: {file}::{name}"


def test_every_guarantee_and_every_known_bug_has_tests() -> None:
    text = page("docs/guarantees.md")
    promised = {cells[0]: cells[2] for cells in table(text, "# Guarantees, and the tests that prove them")}
    assert list(promised) == [f"I{number}" for number in range(1, 11)]
    caught = {cells[0]: cells[2] for cells in table(text, "## Bugs of collectors, and what catches each")}
    assert list(caught) == [f"M{number}" for number in (*range(1, 11), *range(13, 19))]
    for where in (promised, caught):
        for number, cell in where.items():
            assert _NAMED_TEST.search(cell), number
    assert [cells[0] for cells in table(page("README.md"), "## Guarantees")] == list(promised)


def _in_code() -> set[str]:
    files = [
        *(path for folder in ("include", "dags", "plugins") for path in (ROOT / folder).rglob("*.py")),
        *(ROOT / name for name in ("Makefile", "docker-compose.yaml", ".env.example")),
    ]
    return {name for path in files if path.is_file() for name in _VARIABLE.findall(path.read_text(encoding="utf-8"))}


def test_variables_are_those_of_the_code() -> None:
    documented = set(_VARIABLE.findall(page("docs/configuration.md")))
    assert not _in_code() - documented, "not in docs/configuration.md"
    tests = {name for path in (ROOT / "tests").rglob("*.py") for name in _VARIABLE.findall(path.read_text("utf-8"))}
    for path in PAGES:
        assert set(_VARIABLE.findall(path.read_text(encoding="utf-8"))) <= _in_code() | tests, path


def test_inventory_keys_and_destinations_are_those_of_the_model(tmp_path: Path) -> None:
    text = page("docs/configuration.md")
    keys = [words(cells[0])[0] for cells in table(text, "## Inventory files")]
    assert sorted(keys) == sorted(set(Instance.model_fields) - {"slug"})
    kinds = {words(cells[0])[0]: cells[1] for cells in table(text, "### Destinations")}
    assert set(kinds) == set(known_destinations())
    for name, kind in known_destinations().items():
        for option in set(kind.options.model_fields) - {"format"}:
            assert f"`{option}`" in kinds[name]
    (example,) = blocks(text, "yaml")
    path = tmp_path / "emea.yaml"
    path.write_text(example)
    assert len(load_instance(path, now=parse_time("2026-11-23")).destinations) == 2


def test_make_targets_are_those_of_the_makefile() -> None:
    described = {
        words(cells[0])[0].removeprefix("make ") for cells in table(page("docs/configuration.md"), "## Make targets")
    }
    targets = set(re.findall(r"^([a-z-]+):.*## ", page("Makefile"), re.MULTILINE))
    assert described == targets - {"help"}


def test_commands_are_those_of_the_program() -> None:
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    known = {
        name: {c.name or c.callback.__name__ for c in group.registered_commands if c.callback}
        for name, group in groups.items()
    }
    single = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    described = {}
    for cells in table(page("docs/configuration.md"), "## `s1c`"):
        _, noun, *rest = words(cells[0])[0].split()
        described[noun] = set(rest[0].split("|")) if noun in known else set()
    assert {noun: verbs for noun, verbs in described.items() if noun in known} == known
    assert described.keys() - known.keys() == single


def test_receipt_fields_are_those_of_the_receipt() -> None:
    named = [word for cells in table(page("docs/architecture.md"), "## Receipts") for word in words(cells[0])]
    assert sorted(named) == sorted(Receipt.__struct_fields__)


def test_streams_are_those_of_the_registry() -> None:
    rows = {words(cells[0])[0]: cells for cells in table(page("docs/api-inventory.md"), "## Streams")}
    assert set(rows) == set(stream_names())
    needed = {
        words(cells[0])[0]: cells
        for cells in table(page("README.md"), "## Connect your own console")
        if words(cells[0])
    }
    assert set(needed) == set(stream_names())
    for name, cells in rows.items():
        point = get_stream(name).endpoint
        permission = "no" if point.optional else "yes"
        assert cells[1:] == [
            f"`{'GET' if point.graphql is None else 'POST'} {point.path}`",
            ", ".join(f"`{reading.time_field}`" for reading in point.readings),
            ", ".join(f"`{reading.sort_by}`" for reading in point.readings),
            str(point.page_size),
            str(point.count_cap),
            f"{point.rate:g} / {point.burst}",
            f"`{point.permission}`",
            permission,
        ]
        assert needed[name][1:] == [f"`{point.permission}`", permission]


def test_the_simulators_options_stories_and_faults_are_all_described() -> None:
    text = page("docs/simulator.md")
    options = {option for action in _parser()._actions for option in action.option_strings} - {"-h", "--help"}
    described = {word.split()[0] for cells in table(text, "# Simulator") for word in words(cells[0])}
    assert described == options
    assert {words(cells[0])[0] for cells in table(text, "## Stories")} == set(SCENARIOS)
    assert {word for cells in table(text, "## Faults") for word in words(cells[0])} == set(FAULTS)


def test_the_block_of_a_rule_is_described_and_the_examples_pass_their_samples(tmp_path: Path) -> None:
    text = page("docs/writing-rules.md")
    rows = {word: cells for cells in table(text, "## The block `x-incident`") for word in words(cells[0])}
    assert set(rows) == set(IncidentSpec.model_fields)
    assert words(rows["family"][2]) == list(FAMILIES)
    assert words(rows["classification"][2]) == list(CLASSIFICATIONS)
    for number, block in enumerate(blocks(text, "yaml")):
        assert all(yaml.safe_load_all(block))
        (tmp_path / f"{number}.yaml").write_text(block)
    ruleset = load_ruleset(tmp_path)
    assert ruleset.problems == ()
    results = test_rules(ruleset)
    assert {result.rule for result in results} == {"own-001", "own-002", "own-003", "own-004"}
    assert all(result.passed for result in results)


def _generate() -> ModuleType:
    path = ROOT / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", path)
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    return generate


def test_the_generated_pages_are_up_to_date() -> None:
    generate = _generate()
    pages = {
        generate.PAGE: generate.rules_page(load_ruleset(BUILT_IN)),
        generate.ACTIVITIES_PAGE: generate.activities_page(),
        generate.ATHENA: generate.athena_table(),
        generate.LAYER: generate.navigator_layer(load_ruleset(BUILT_IN)),
    }
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, "run `python docs/generate.py`"


def test_every_activity_type_is_on_its_page() -> None:
    text = page("docs/reference/activities.md")
    listed = set(re.findall(r"^\| (\d+) \|", text, re.MULTILINE))
    unnamed = set(text.rsplit("\n## Without a name\n", 1)[1].strip().split(", "))
    assert listed | unnamed == {str(kind) for kind in routes()}
    assert not listed & unnamed
