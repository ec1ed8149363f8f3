"""`s1c rules`: what is looked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from sentinelone_collector.commands.output import AsJson, Moment, emit, say, table
from sentinelone_collector.pipeline import Installation

if TYPE_CHECKING:
    from sentinelone_collector.detect import Rule, Ruleset
    from sentinelone_collector.detect.evaluation import Evaluation

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="List, show, test and backtest rules.")


def _row(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "title": rule.title,
        "level": rule.level,
        "family": rule.spec.family if rule.spec else None,
        "classification": rule.spec.classification if rule.spec else None,
        "kind": rule.kind,
        "visibility": rule.spec.visibility if rule.spec else None,
        "attacks": list(rule.attacks),
        "attacks_v19": list(rule.attacks_v19),
        "version": rule.version,
        "file": str(rule.path),
    }


def _ruleset() -> Ruleset:
    ruleset = Installation.from_environment().ruleset
    for problem in ruleset.problems:
        say(str(problem), style="red")
    return ruleset


@app.command("list")
def list_(family: Annotated[str | None, typer.Option()] = None, as_json: AsJson = False) -> None:
    """List the rules; name every rule file that can't be used."""
    ruleset = _ruleset()
    rows = [_row(rule) for rule in ruleset if rule.spec and family in {None, rule.spec.family}]
    if as_json:
        emit(rows)
    else:
        table(rows, ["id", "level", "family", "kind", "title"])
        say(f"{len(rows)} rules.")
    if ruleset.problems:
        raise typer.Exit(1)


@app.command()
def show(rule_id: str, as_json: AsJson = False) -> None:
    """Show one rule as it stands in its file."""
    rule = _ruleset().get(rule_id)
    if as_json:
        emit(_row(rule) | {"document": rule.document})
    else:
        typer.echo(rule.path.read_text(encoding="utf-8"), nl=False)


@app.command()
def test(
    rule_id: Annotated[list[str] | None, typer.Argument(help="Default: all rules.")] = None, as_json: AsJson = False
) -> None:
    """Run the samples inside the rules through the engine that tags windows."""
    from sentinelone_collector.detect import test_rules

    ruleset = _ruleset()
    results = test_rules(ruleset, *(rule_id or ()))
    if as_json:
        emit([{**msgspec.to_builtins(result), "passed": result.passed} for result in results])
    failed = [result for result in results if not result.passed]
    for result in failed:
        wrong = ", ".join(f"{s.expected} {s.number + 1}" for s in result.samples if not s.passed)
        say(f"{result.path}: {result.rule} fails its samples: {wrong}", style="red")
    samples = sum(len(result.samples) for result in results)
    say(f"{len(results) - len(failed)} of {len(results)} rules pass, {samples} samples.")
    if failed or ruleset.problems:
        raise typer.Exit(1)


@app.command()
def backtest(
    rule_id: str,
    from_: Annotated[Any, typer.Option("--from", parser=Moment.parser, metavar="TIME")],
    to: Annotated[Any, typer.Option("--to", parser=Moment.parser, metavar="TIME")],
    instance: Annotated[list[str] | None, typer.Option(help="Default: all instances; repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a rule would have raised between two dates, over the lake; nothing is written."""
    from sentinelone_collector.detect import backtest as run

    site = Installation.from_environment()
    inventory = site.inventory
    chosen = [inventory.get(slug) for slug in instance] if instance else list(inventory.instances)
    results = run(rule_id, chosen, from_, to, lake=site.lake, store=site.store, ruleset=_ruleset())
    rows = [msgspec.to_builtins(result) for result in results]
    if as_json:
        emit(rows)
    else:
        shown = [row | {"hits": row["count"]} for row in rows]
        table(shown, ["instance", "stream", "windows", "hits", "incidents"])


@app.command()
def evaluate(
    seed: Annotated[int, typer.Option(min=0)] = 1,
    users: Annotated[int, typer.Option(min=2)] = 200,
    days: Annotated[int, typer.Option(min=14, help="Days of baseline before each day that is tested.")] = 90,
    test_days: Annotated[int, typer.Option(min=1)] = 30,
    attacks: Annotated[int, typer.Option(min=1, help="Logins of each model of an attacker.")] = 1000,
    rba: Annotated[
        Path | None, typer.Option(help="Evaluate on this CSV of the public RBA data set instead.", exists=True)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well login scores tell attackers from people: recall at one alert per 1,000 logins, calibration."""
    from sentinelone_collector.detect import evaluation

    if rba is not None:
        found = evaluation.evaluate_rba(rba, baseline_days=days, seed=seed)
    else:
        world = evaluation.build_world(seed, users=users, baseline_days=days, test_days=test_days)
        found = evaluation.evaluate(world, seed=seed, number=attacks)
    if as_json:
        emit(found)
    else:
        _say_evaluation(found)


def _say_evaluation(found: Evaluation) -> None:
    rows = [
        {"score": one.score, "alerts per 1,000": f"{1000 * one.rate:g}"}
        | {f"recall {model}": f"{value:.3f}" for model, value in one.recall.items()}
        | {"mean recall": f"{one.mean_recall:.3f}"}
        | {f"AUC {model}": f"{value:.3f}" for model, value in one.auc.items()}
        for one in found.scores
    ]
    table(rows, list(rows[0]))
    levels = [
        {"tail": one.tail} | {f"p < {k}": f"{v:.4f}" for k, v in one.observed.items()} for one in found.calibrations
    ]
    table(levels, list(levels[0]))
    attacks = ", ".join(f"{count} {model}" for model, count in found.attacks.items())
    say(f"{found.logins} legitimate logins, {found.new_networks} from networks new to the user; attacks: {attacks}.")
