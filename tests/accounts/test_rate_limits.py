"""Limits count what was allowed, by action and by person, and say when to come back."""

from types import SimpleNamespace

import pytest

from accounts.rate_limits import PER_HOUR, PER_MINUTE, RateLimited, forget_all, spend


def spent(limit, who="vera", action="vote"):
    """How many times it is allowed."""
    for n in range(100):
        try:
            spend(limit, action, who)
        except RateLimited:
            return n
    return None


def test_the_limit_is_exact():
    assert spent(PER_HOUR(5)) == 5
    assert spent(PER_HOUR(5)) == 0


def test_people_and_actions_are_counted_apart():
    assert spent(PER_HOUR(2)) == 2
    assert spent(PER_HOUR(2), who="rana") == 2
    assert spent(PER_HOUR(2), action="battle") == 2


def test_a_refusal_says_how_long_to_wait():
    spent(PER_MINUTE(1))
    with pytest.raises(RateLimited, match="try again in") as refused:
        spend(PER_MINUTE(1), "vote", "vera")
    assert 1 <= refused.value.retry_after <= 60


@pytest.fixture
def clock(monkeypatch):
    """Stands still until it is told to go on."""
    clock = SimpleNamespace(now=1_800_000_010.0)
    clock.time = lambda: clock.now
    for module in ("limits.storage.memory", "limits.strategies", "accounts.rate_limits"):
        monkeypatch.setattr(f"{module}.time", clock)
    return clock


@pytest.mark.parametrize("n_before", [0, 1, 4])
def test_who_waits_as_long_as_told_may_go_on(n_before, clock):
    for _ in range(n_before):
        spend(PER_MINUTE(5), "vote", "vera")
    clock.now += 45
    spent(PER_MINUTE(5))
    with pytest.raises(RateLimited) as refused:
        spend(PER_MINUTE(5), "vote", "vera")
    clock.now += refused.value.retry_after
    spend(PER_MINUTE(5), "vote", "vera")


def test_a_window_ends(clock):
    assert spent(PER_MINUTE(3)) == 3
    clock.now += 120
    assert spent(PER_MINUTE(3)) == 3


def test_a_refusal_is_not_counted(clock):
    spent(PER_MINUTE(3))
    for _ in range(50):
        with pytest.raises(RateLimited):
            spend(PER_MINUTE(3), "vote", "vera")
    clock.now += 120
    assert spent(PER_MINUTE(3)) == 3


def test_everything_can_be_forgotten():
    spent(PER_HOUR(1))
    forget_all()
    assert spent(PER_HOUR(1)) == 1
