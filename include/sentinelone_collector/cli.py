"""`s1c`: the same pipeline without a scheduler.

Exit codes: 0 done, 1 the work failed, 2 wrong use (also a wrong inventory file, connection or setting).
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

from sentinelone_collector import __version__
from sentinelone_collector.commands import incidents, instances, rules, search, simulate, windows
from sentinelone_collector.commands.output import say
from sentinelone_collector.errors import CollectorError, ConfigurationError, UsageError

__all__ = ["app", "main"]

app = typer.Typer(
    name="s1c",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and one of them may be a token
    help="Collect SentinelOne logs: complete windows, OCSF events, incidents.",
)
app.add_typer(instances.app, name="instances")
app.add_typer(incidents.app, name="incidents")
app.add_typer(rules.app, name="rules")
app.command()(windows.collect)
app.command()(windows.coverage)
app.command()(windows.audit)
app.command()(search.search)
# the simulator stands on its own and reads its own options
app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    simulate.simulate
)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"s1c {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what happens, on standard error.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        app(standalone_mode=True)
    except (ConfigurationError, UsageError) as error:
        say(str(error), style="red")
        return 2
    except CollectorError as error:
        say(f"{type(error).__name__}: {error}", style="red")
        return 1
    except BrokenPipeError:
        # the reader went away; a second error while flushing would hide that
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
