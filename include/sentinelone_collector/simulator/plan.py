"""What people and threats do on a given day: the part of the log that has a reason."""

from __future__ import annotations

from collections.abc import Iterator

from sentinelone_collector.simulator._dice import Dice
from sentinelone_collector.simulator._time import DAY, HOUR, MINUTE, MS, SECOND
from sentinelone_collector.simulator.kinds import BY_TYPE
from sentinelone_collector.simulator.org import Organisation, User
from sentinelone_collector.simulator.records import Draft, Facts

__all__ = ["planned_day"]

_WORKDAY = 21
_CHORES = 22
_THREATS = 23
_ALERTS = 24
_SEATS = 25
_HABITS: dict[str, tuple[int, ...]] = {
    "Admin": (5007, 3653, 3654, 65, 5121, 5221, 3601, 37),
    "SOC": (2028, 2030, 4020, 2028, 3653),
    "IR Team": (2028, 4020, 65, 85, 2030),
    "Helpdesk L2": (3653, 3654, 65),
}
_CHORE_TYPES = (
    23, 25, 24, 112, 113, 3001, 3008, 3002, 3600, 3603, 5008, 5021, 84, 79, 73, 46, 64, 3200, 54, 5220, 5120, 107,
    145, 3012,
)  # fmt: skip
# At which level such things are done; the rest has a place of its own: a computer's, or that of who acts
_AT_SITES = frozenset({23, 24, 25, 37, 107, 3600, 3601, 3603, 5008, 5021, 5120, 5121, 5220, 5221})
_AT_GROUPS = frozenset({46, 73, 79, 84, 3001, 3002, 3008, 3012, 5007})
_SATURDAY = 5


def planned_day(org: Organisation, day: int, people: int) -> list[Draft]:
    """List what is done on a UTC day (days since 1970), by the first `people` users, in order of time."""
    start = day * DAY
    drafts = [
        draft
        for workday in (day - 1, day)
        for user in org.users[:people]
        for draft in _workday(org, user, workday)
        if start <= draft.at < start + DAY
    ]
    drafts.extend(_chores(org, day, people))
    drafts.extend(_threats(org, day))
    drafts.extend(_alerts(org, day))
    return sorted((draft for draft in drafts if start <= draft.at < start + DAY), key=lambda draft: draft.at)


def _weekday(user: User, workday: int) -> int:
    """Give the weekday (0 = Monday) on which a workday begins where the user sits."""
    local = workday * 1440 + user.workday_start + user.local_offset
    return (local // 1440 + 3) % 7


def _workday(org: Organisation, user: User, workday: int) -> Iterator[Draft]:
    """Yield a user's day: it begins on the given UTC day and may end on the next."""
    dice = Dice(org.seed, _WORKDAY, user.index, workday)
    if user.service:
        yield from _automation(org, user, workday, dice)
        return
    weekend = _weekday(user, workday) >= _SATURDAY
    if not dice.chance(3 if weekend else 92, 100):
        return
    ip = user.home_ip if dice.chance(2, 5) else user.office_ip
    start = workday * DAY + user.workday_start * MINUTE + (dice.below(40) + dice.below(40)) * MINUTE
    sessions = dice.between(1, 2)
    for number in range(sessions):
        begin = start + number * 4 * HOUR + dice.below(3600 * 1000) * MS + dice.below(1000)
        yield from _session(org, user, begin, ip, dice)


def _session(org: Organisation, user: User, begin: int, ip: str, dice: Dice) -> Iterator[Draft]:
    session = Facts({"ipAddress": ip})
    at = begin
    if dice.chance(1, 40):
        reason = "invalid password" if user.source == "sso" else dice.pick(("invalid password", "invalid 2FA code"))
        for _ in range(dice.between(1, 2)):
            yield Draft(at, BY_TYPE[133], user.index, facts=Facts({"ipAddress": ip}, {"comments": reason}))
            at += dice.between(6, 25) * SECOND
    if user.source == "mgmt":
        yield Draft(at - 9 * SECOND, BY_TYPE[3627], user.index)
        yield Draft(at - 40 * MS, BY_TYPE[3624], user.index)
    yield Draft(at, BY_TYPE[27], user.index, facts=session)
    habits = _HABITS.get(user.role, ())
    for _ in range(dice.between(1, 5) if habits else 0):
        at += dice.between(4 * 60_000, 30 * 60_000) * MS + dice.below(1000)
        kind = dice.pick(habits)
        agent = _agent_near(org, user, dice) if kind not in {5007, 5121, 5221, 3601, 37} else -1
        about = {"threatId": str(dice.big_id())} if kind in {2028, 2030, 4020, 85} else {}
        yield Draft(at, BY_TYPE[kind], user.index, agent, session._replace(top=about, place=_seat(org, user, kind, at)))
    if dice.chance(7, 10):
        yield Draft(at + dice.between(5, 90) * MINUTE, BY_TYPE[33], user.index, facts=session)


def _automation(org: Organisation, user: User, workday: int, dice: Dice) -> Iterator[Draft]:
    """Yield what a service user's program does: a tag every second hour, around the clock."""
    for hour in range(0, 24, 2):
        at = workday * DAY + hour * HOUR + 7 * MINUTE + dice.below(20_000_000)
        yield Draft(at, BY_TYPE[3653], user.index, _agent_near(org, user, dice))


def _agent_near(org: Organisation, user: User, dice: Dice) -> int:
    """Pick a computer inside the user's scope; any, where the scope seems to have none."""
    home = org.places[user.place]
    for _ in range(40):
        agent = org.agents[dice.below(len(org.agents))]
        place = org.places[agent.place]
        if home.account_id in {None, place.account_id} and home.site_id in {None, place.site_id}:
            return agent.index
    return dice.below(len(org.agents))


def _seat(org: Organisation, user: User, kind: int, at: int) -> int | None:
    """Pick the site or group that a change is made for, inside the user's scope; None where the kind has its place.

    Who looks after a whole account or console still works site by site: changes for all at once are rare and loud.
    """
    level = "site" if kind in _AT_SITES else "group" if kind in _AT_GROUPS else None
    home = org.places[user.place]
    inside = [
        number
        for number, place in enumerate(org.places)
        if place.level == level
        and home.account_id in {None, place.account_id}
        and home.site_id in {None, place.site_id}
    ]
    return Dice(org.seed, _SEATS, user.index, at).pick(inside) if inside else None


def _chores(org: Organisation, day: int, people: int) -> Iterator[Draft]:
    """Yield the few sensitive things that administrators rightly do, at most one a day for each of them."""
    admins = [user for user in org.by_role("Admin") if user.index < people]
    dice = Dice(org.seed, _CHORES, day)
    if (day + 3) % 7 >= _SATURDAY or not admins:
        return
    if dice.chance(1, 20):
        yield Draft(day * DAY + 3 * HOUR + dice.below(10**9), BY_TYPE[102])
    for _ in range(min(len(admins), dice.below(3))):
        user = admins.pop(dice.below(len(admins)))
        at = day * DAY + user.workday_start * MINUTE + dice.between(HOUR // MS, 6 * HOUR // MS) * MS + dice.below(1000)
        kind = dice.pick(_CHORE_TYPES)
        agent = _agent_near(org, user, dice) if kind in {64, 3200, 54} else -1
        target = Facts({"username": f"contractor-{dice.below(10_000):04d}"}) if kind in {23, 24, 25} else Facts()
        target = target._replace(place=_seat(org, user, kind, at))
        yield Draft(at, BY_TYPE[kind], user.index, agent, target)
        if kind == 3200:  # noqa: PLR2004  # an activity type
            yield Draft(at + 2_100 * MS, BY_TYPE[3201], user.index, agent)
            yield Draft(at + 11 * MINUTE, BY_TYPE[3203], user.index, agent)
        if kind == 23:  # noqa: PLR2004  # one click, two records 2.2 ms apart
            yield Draft(at + 2_200, BY_TYPE[37], user.index, agent, target)


def _threats(org: Organisation, day: int) -> Iterator[Draft]:
    """Yield a handful of threats: found, killed, status, quarantined within a quarter of a second."""
    dice = Dice(org.seed, _THREATS, day)
    for _ in range(dice.between(1, 4)):
        agent = dice.below(len(org.agents))
        at = day * DAY + dice.below(86_000_000) * MS + dice.below(1000)
        digest, name = dice.hex(40), f"setup_{dice.hex(4)}.exe"
        data: dict[str, object] = {"fileContentHash": digest, "fileDisplayName": name}
        data["filePath"] = f"\\Device\\HarddiskVolume3\\Users\\kiosk\\Downloads\\{name}"
        data["threatClassification"] = dice.pick(("PUA", "Trojan", "Adware"))
        facts = Facts(data, {"threatId": str(dice.big_id() - 1), "hash": digest})
        types = dice.pick(((4003, 2001, 4008, 2004), (18, 2004), (18, 2001, 4008, 2004)))
        for number, kind in enumerate(types):
            yield Draft(at + number * dice.between(20, 60) * MS, BY_TYPE[kind], -1, agent, facts)


def _alerts(org: Organisation, day: int) -> Iterator[Draft]:
    dice = Dice(org.seed, _ALERTS, day)
    for _ in range(dice.between(2, 7)):
        at = day * DAY + dice.below(86_400_000) * MS + dice.below(1000)
        yield Draft(at, BY_TYPE[dice.pick((3608, 3608, 3784))], -1, dice.below(len(org.agents)))
