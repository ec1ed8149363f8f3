"""How fast, and how patiently, a console is asked: token buckets, backoff, and a budget of waiting."""

from __future__ import annotations

import math
import threading

__all__ = ["PROCESS_LIMITS", "Bucket", "Limits", "Patience", "backoff"]

_SLOWEST = 0.1  # requests per second, below which throttling does not push the rate
_LONGEST = 60.0  # seconds between two attempts, unless the console asks for more


def backoff(attempt: int, *, start: float, asked: float | None, random: float) -> float:
    """Return the wait in seconds before the next attempt: exponential with full jitter, never less than was asked.

    `attempt` counts from 1, `random` lies in [0, 1). Full jitter: AWS Architecture Blog, "Exponential Backoff And
    Jitter", 2015.
    """
    ceiling = min(start * 2.0 ** min(attempt - 1, 16), _LONGEST)
    return max(ceiling * random, asked or 0.0)


class Bucket:
    """A token bucket that callers of several threads reserve from; it slows down when the console throttles.

    All times are seconds of one monotonic clock, which the callers pass in.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._nominal = self._rate = rate
        self._capacity = self._tokens = max(burst, 1.0)
        self._at = -math.inf
        self._cut_at = -math.inf
        self._held_until = -math.inf
        self._lock = threading.Lock()

    @property
    def rate(self) -> float:
        """The present rate in requests per second."""
        return self._rate

    def reserve(self, now: float) -> float:
        """Take one request out and return how many seconds to wait before it may be sent."""
        with self._lock:
            self._refill(now)
            self._tokens -= 1.0
            return max(0.0, -self._tokens / self._rate, self._held_until - now)

    def throttled(self, now: float, wait: float) -> None:
        """Halve the rate, once for all answers of the same second, and hold everybody back for `wait` seconds."""
        with self._lock:
            self._refill(now)
            self._tokens = min(self._tokens, 0.0)
            self._held_until = max(self._held_until, now + wait)
            if now - self._cut_at >= 1.0:
                self._cut_at = now
                self._rate = max(self._rate / 2.0, min(_SLOWEST, self._nominal))

    def succeeded(self) -> None:
        """Speed up again by a hundredth of the nominal rate."""
        with self._lock:
            self._rate = min(self._nominal, self._rate + self._nominal / 100.0)

    def _refill(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._tokens = min(self._capacity, self._tokens + passed * self._rate)
        self._at = max(self._at, now)


class Limits:
    """The buckets of a process, one per console host, token and path, as the console counts them."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, ...], Bucket] = {}
        self._lock = threading.Lock()

    def bucket(self, *key: str, rate: float, burst: float) -> Bucket:
        """Return the bucket of the key; the first caller decides rate (per second) and burst."""
        with self._lock:
            return self._buckets.setdefault(key, Bucket(rate, burst))


PROCESS_LIMITS = Limits()


class Patience:
    """How long one task may wait for faults to pass, in seconds; waits of several threads at a time count once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._spent = 0.0
        self._until = -math.inf
        self._lock = threading.Lock()

    @property
    def spent(self) -> float:
        """Seconds of waiting so far."""
        return self._spent

    def grant(self, now: float, wait: float) -> bool:
        """Say whether a wait from now on fits into what is left, and book it if so."""
        with self._lock:
            added = max(0.0, now + wait - max(now, self._until))
            if self._spent + added > self._seconds:
                return False
            self._spent += added
            self._until = max(self._until, now + wait)
            return True
