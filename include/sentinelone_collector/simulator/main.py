"""The simulator as a program: serves until it is told to stop."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sentinelone_collector.simulator.faults import FAULTS
from sentinelone_collector.simulator.scenarios import SCENARIOS
from sentinelone_collector.simulator.simulator import Simulator, utcnow
from sentinelone_collector.simulator.tables import STREAMS
from sentinelone_collector.simulator.tokens import ROLES

__all__ = ["main"]

_WRONG_USE = 2


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("s1c simulate", description="Serve a simulated SentinelOne console.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same records")
    parser.add_argument("--days", type=int, default=30, help="how far the records reach back")
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--records-per-day", type=int, default=50_000)
    parser.add_argument(
        "--scenario", action="append", default=[], metavar="NAME[@TIME]", help=", ".join(sorted(SCENARIOS))
    )
    parser.add_argument("--faults", action="append", default=[], metavar="NAME[:OPTION],…", help=", ".join(FAULTS))
    parser.add_argument("--token", help="API token to accept; default: made from the seed")
    parser.add_argument("--token-expires", type=_moment, metavar="TIME")
    parser.add_argument("--account-id", action="append", default=[], help="limit the token to an account")
    parser.add_argument("--site-id", action="append", default=[], help="limit the token to a site")
    parser.add_argument("--role", default="Log reader", help="what the token may read: " + ", ".join(ROLES))
    parser.add_argument("--late", type=float, default=0.0, metavar="SHARE", help="records that appear hours later")
    parser.add_argument("--no-rate-limits", action="store_true")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="write all records as NDJSON before serving")
    parser.add_argument("--truth-stream", default="activities", choices=("activities", *STREAMS))
    parser.add_argument("--truth-from", type=_moment, metavar="TIME", help="default: all")
    parser.add_argument("--truth-to", type=_moment, metavar="TIME", help="default: now")
    return parser


def _simulator(arguments: argparse.Namespace, now: Callable[[], datetime]) -> Simulator:
    return Simulator(
        seed=arguments.seed,
        port=arguments.port,
        host=arguments.host,
        users=arguments.users,
        records_per_day=arguments.records_per_day,
        days=arguments.days,
        scenarios=arguments.scenario,
        faults=[spec for group in arguments.faults for spec in group.split(",") if spec],
        token=arguments.token,
        token_expires=arguments.token_expires,
        late_share=arguments.late,
        account_ids=arguments.account_id,
        site_ids=arguments.site_id,
        role=arguments.role,
        rate_limits=not arguments.no_rate_limits,
        now=now,
    )


def _tell(text: str) -> None:
    sys.stderr.write(f"s1c simulate: {text}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the first line on standard output is JSON with url and token.

    Returns 0 after a stop, 2 for wrong arguments, 1 where the port can't be bound.
    """
    arguments = _parser().parse_args(argv)
    try:
        simulator = _simulator(arguments, utcnow)
    except ValueError as wrong:
        _tell(str(wrong))
        return _WRONG_USE
    if arguments.truth:
        written = simulator.write_truth(
            arguments.truth, arguments.truth_from, arguments.truth_to, stream=arguments.truth_stream
        )
        _tell(f"wrote {written} records to {arguments.truth}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        simulator.start()
    except OSError as failure:
        _tell(f"can't serve {arguments.host}:{arguments.port}: {failure}; choose another --port")
        return 1
    sys.stdout.write(json.dumps({"url": simulator.url, "token": simulator.token}) + "\n")
    sys.stdout.flush()
    stop.wait()
    simulator.stop()
    return 0
