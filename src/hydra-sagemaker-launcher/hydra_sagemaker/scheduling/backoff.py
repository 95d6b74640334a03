"""The speed of calls: a bucket of tokens for what a service counts, a jittered wait when it says no.

https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations

from random import Random


class TokenBucket:
    """Allows `per_second` calls on average, `burst` of them at once. Times in seconds, of any origin."""

    def __init__(self, per_second: float, burst: int = 1) -> None:
        self.per_second, self.burst = per_second, burst
        self._tokens, self._filled = float(burst), float("-inf")

    def ready_at(self, now: float) -> float:
        self._fill(now)
        return now if self._tokens >= 1 else now + (1 - self._tokens) / self.per_second

    def take(self, now: float) -> None:
        self._fill(now)
        self._tokens -= 1

    def _fill(self, now: float) -> None:
        if self._filled > float("-inf"):
            # rounding must not leave 0.9999999 of a token, for which one would sleep no time at all
            self._tokens = min(float(self.burst), self._tokens + (now - self._filled) * self.per_second + 1e-9)
        self._filled = now


class Backoff:
    """Waits that double from `first_seconds` to `longest_seconds`, each with a random half, so that many who were refused
    together do not come again together."""

    def __init__(self, first_seconds: float, longest_seconds: float, random: Random) -> None:
        self.first_seconds = first_seconds
        self.longest_seconds = max(first_seconds, longest_seconds)
        self.random = random
        self.refusals = 0

    def next(self) -> float:
        whole = min(self.longest_seconds, self.first_seconds * 2.0 ** min(self.refusals, 30))
        self.refusals += 1
        return whole * self.random.uniform(0.5, 1.0)

    def reset(self) -> None:
        self.refusals = 0
