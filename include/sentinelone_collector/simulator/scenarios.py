"""Stories that can be placed in time: what an attacker or a leaver does on the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import MINUTE, MS, SECOND, to_us
from sentinelone_collector.simulator.kinds import BY_TYPE
from sentinelone_collector.simulator.org import Organisation, User
from sentinelone_collector.simulator.records import Draft, Facts

__all__ = ["SCENARIOS", "Placed", "place_scenarios"]

_STORY = 51
_OFF_SITE = "192.0.2."


class Placed(NamedTuple):
    """A story and the moment (µs) at which it begins."""

    name: str
    start: int
    drafts: tuple[Draft, ...]


Story = Callable[[Organisation, int, Dice], Iterator[Draft]]


def _login(at: int, user: User, ip: str) -> Draft:
    return Draft(at, BY_TYPE[27], user.index, facts=Facts({"ipAddress": ip}))


def _failure(at: int, user: User, ip: str, reason: str = "invalid password") -> Draft:
    return Draft(at, BY_TYPE[133], user.index, facts=Facts({"ipAddress": ip}, {"comments": reason}))


def _person(org: Organisation, dice: Dice, *roles: str) -> User:
    """Pick somebody of these roles; anybody where nobody has one."""
    return dice.pick(org.by_role(*roles) or [user for user in org.users if not user.service] or org.users)


def _hosts(org: Organisation, dice: Dice, count: int) -> list[int]:
    """Pick distinct computers."""
    first = dice.below(len(org.agents))
    return [(first + step * 7) % len(org.agents) for step in range(count)]


def _brute_force(org: Organisation, start: int, dice: Dice) -> Iterator[Draft]:
    """Try 280 wrong passwords for one user from one address within three quarters of an hour, in vain."""
    user, ip, at = _person(org, dice, "SOC", "Viewer"), f"{_OFF_SITE}{dice.between(2, 99)}", start
    for number in range(280):
        locked = number % 25 == 24  # noqa: PLR2004  # the console locks for a while, again and again
        yield _failure(at, user, ip, "user temporarily locked 2FA attempt" if locked else "invalid password")
        at += dice.between(6_000, 12_500) * MS + dice.below(1000)


def _takeover(org: Organisation, start: int, dice: Dice) -> Iterator[Draft]:
    """Spray, log in once, then second factor off, token, exclusion, remote shell: 40 minutes in all."""
    ip, at = f"{_OFF_SITE}{dice.between(100, 199)}", start
    victim = _person(org, dice, "Admin")
    crowd = [user for user in org.users if not user.service][:12]
    for turn in range(2):
        for user in dict.fromkeys((*crowd, victim)):
            yield _failure(at, user, ip)
            at += dice.between(15_000, 35_000) * MS + dice.below(1000)
        unknown = Facts({"ipAddress": ip, "username": ("admin", "root", "helpdesk")[turn]})
        yield Draft(at, BY_TYPE[134], facts=unknown)
        at += 20 * SECOND
    yield _login(at, victim, ip)
    ours = {"ipAddress": ip}
    off = Facts({**ours, "byUser": victim.name, "newValue": False})
    yield Draft(at + 95 * SECOND, BY_TYPE[67], victim.index, facts=off)
    yield Draft(at + 3 * MINUTE, BY_TYPE[112], victim.index, facts=Facts(ours))
    broad = Facts({**ours, "value": "C:\\Windows\\Temp\\*", "exclusionType": "path", "osFamily": "windows"})
    yield Draft(at + 6 * MINUTE, BY_TYPE[3008], victim.index, facts=broad)
    for number, host in enumerate(_hosts(org, dice, 2)):
        begin = at + (9 + 4 * number) * MINUTE + dice.below(1_000_000)
        yield Draft(begin, BY_TYPE[3200], victim.index, host, Facts(ours))
        yield Draft(begin + 2_100 * MS, BY_TYPE[3201], victim.index, host, Facts(ours))


def _insider(org: Organisation, start: int, dice: Dice) -> Iterator[Draft]:
    """Collect passphrases and files of many computers, then close threats, as a leaver might: 45 minutes."""
    user = _person(org, dice, "IR Team", "SOC")
    ours = Facts({"ipAddress": user.home_ip})
    yield _login(start, user, user.home_ip)
    at = start + 2 * MINUTE
    for host in _hosts(org, dice, 9):
        yield Draft(at, BY_TYPE[64], user.index, host, ours)
        at += dice.between(50_000, 110_000) * MS + dice.below(1000)
    for host in _hosts(org, dice, 7):
        yield Draft(at, BY_TYPE[81], user.index, host, ours)
        yield Draft(at + 31 * SECOND, BY_TYPE[80], -1, host)
        at += dice.between(40_000, 90_000) * MS + dice.below(1000)
    false_positive = {"newAnalystVerdict": "false_positive", "newAnalystVerdictTitle": "False positive"}
    for host in _hosts(org, dice, 14):
        facts = Facts({**ours.data, **false_positive}, {"threatId": str(dice.big_id())})
        yield Draft(at, BY_TYPE[2030], user.index, host, facts)
        at += dice.between(12_000, 35_000) * MS + dice.below(1000)


def _mass_uninstall(org: Organisation, start: int, dice: Dice) -> Iterator[Draft]:
    """Remove the agents of 24 computers within a quarter of an hour, as one administrator."""
    user = _person(org, dice, "Admin")
    ours = Facts({"ipAddress": user.office_ip})
    yield _login(start, user, user.office_ip)
    at = start + MINUTE
    for number, host in enumerate(_hosts(org, dice, 24)):
        yield Draft(at, BY_TYPE[52 if number % 6 == 5 else 50], user.index, host, ours)  # noqa: PLR2004  # one in six
        yield Draft(at + dice.between(8_000, 40_000) * MS, BY_TYPE[51], -1, host)
        at += dice.between(20_000, 34_000) * MS + dice.below(1000)


def _clean(_org: Organisation, _start: int, _dice: Dice) -> Iterator[Draft]:
    """Add nothing to the daily business."""
    return iter(())


SCENARIOS: dict[str, Story] = {
    "brute-force": _brute_force,
    "clean": _clean,
    "insider": _insider,
    "mass-uninstall": _mass_uninstall,
    "takeover": _takeover,
}


def place_scenarios(org: Organisation, specs: Sequence[str], default_start: int) -> tuple[Placed, ...]:
    """Place stories given as `NAME` or `NAME@TIME` (ISO, UTC where it says nothing else).

    ValueError names an unknown story or an unreadable time.
    """
    placed = []
    for number, spec in enumerate(specs):
        name, _, moment = spec.partition("@")
        if name not in SCENARIOS:
            raise ValueError(f"unknown scenario {name!r}; there are: {', '.join(sorted(SCENARIOS))}")
        start = default_start
        if moment:
            parsed = datetime.fromisoformat(moment)
            start = to_us(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
        dice = Dice(org.seed, _STORY, number, start, *name.encode())
        placed.append(Placed(name, start, tuple(SCENARIOS[name](org, start, dice))))
    return tuple(placed)
