"""A thousand votes at once."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.models import AnonymousUser
from django.db import connection

from arena import battles, ledger, voters
from arena.battles import Participant
from arena.errors import AlreadyVoted
from arena.models import Answer, PairCount, Vote
from llms.models import LanguageModel

N_VOTES, N_BATTLES, N_THREADS = 1_000, 250, 16
OUTCOMES = ("a", "b", "tie", "both_bad")


def a_thousand_votes_at_once(note: Callable[[str], None] = lambda _: None) -> None:
    """Each battle is voted on four times, at the same moment and each time differently. One vote is stored; the others
    are told so. Nothing else may happen to anybody."""
    for name in ("orion", "lyra", "pavo"):
        LanguageModel.objects.create(slug=name, name=name, engine="echo", status="enabled")
    who = Participant(voters.remember("a hasty voter", AnonymousUser()), AnonymousUser())
    begun = [battles.start(who, key=uuid.uuid4(), prompt="Hello") for _ in range(N_BATTLES)]
    Answer.objects.update(state="complete", text="x", shown_text="x")
    everybody_at_once = threading.Barrier(N_THREADS)

    def vote(numbers: range) -> list[str]:
        everybody_at_once.wait()
        try:
            return [_vote(begun[n % N_BATTLES], who, OUTCOMES[n // N_BATTLES]) for n in numbers]
        finally:
            connection.close()

    with ThreadPoolExecutor(N_THREADS) as threads:
        shares = [range(start, N_VOTES, N_THREADS) for start in range(N_THREADS)]
        answers = [answer for share in threads.map(vote, shares) for answer in share]

    assert len(answers) == N_VOTES
    assert sorted(set(answers)) == ["already voted", "counted"]
    assert answers.count("counted") == Vote.objects.count() == N_BATTLES
    assert sum(PairCount.objects.values_list("n", flat=True)) == N_BATTLES
    assert ledger.differences() == []
    note(f"{N_VOTES} votes, {N_BATTLES} stored")


def _vote(battle: battles.Battle, who: Participant, outcome: str) -> str:
    try:
        battles.cast_vote(battle, who, outcome=outcome)
    except AlreadyVoted:
        return "already voted"
    return "counted"
