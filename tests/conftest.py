"""The cast: an anonymous visitor; Vera votes, Rana researches, Adem administers; Orion, Lyra and Pavo answer."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import translation

from accounts import rate_limits
from accounts.roles import Role
from arena import battles, voters
from arena.battles import Participant
from arena.models import Answer, Battle, Turn, Voter
from arena.protocol import AnswerState
from llms.models import LanguageModel, Visibility
from llms.pool import pool

SHARED_DATA = Path(os.environ.get("HAKEM_SHARED_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """What lives as long as a process must not leak from one test into the next."""
    rate_limits.forget_all()
    yield
    translation.deactivate()  # the language of the last page that was asked for
    pool.close()


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """The real hasher is slow on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def vera(db: None) -> User:
    return _account("vera", Role.VOTER)


@pytest.fixture
def rana(db: None) -> User:
    return _account("rana", Role.RESEARCHER)


@pytest.fixture
def adem(db: None) -> User:
    return _account("adem", Role.ADMIN)


def _account(name: str, role: Role) -> User:
    user = User.objects.create_user(name, password="correct horse battery")
    user.groups.add(Group.objects.get(name=role.value))
    return user


@pytest.fixture
def sign_in() -> Callable[[User | None], Client]:
    def sign_in(user: User | None) -> Client:
        client = Client()
        if user:
            client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def register(db: None) -> Callable[..., LanguageModel]:
    """Register a model that answers by a script: `register("Orion", reply="Hello")`."""

    def register(name: str, *, visibility: str = Visibility.PUBLIC, **options: Any) -> LanguageModel:
        known = ("status", "battle_weight", "aliases", "organisation", "engine", "endpoint", "source")
        fields = {key: options.pop(key) for key in known if key in options}
        if fields.setdefault("engine", "echo") != "echo":
            options = options or {"token_limit_field": "max_tokens"}
        return LanguageModel.objects.create(
            slug=name.lower().replace(" ", "-"),
            name=name,
            options=options or {"reply": "This is what one of them says to {prompt}"},
            visibility=visibility,
            **{"status": LanguageModel.Status.ENABLED, **fields},
        )

    return register


@pytest.fixture
def orion(register: Callable[..., LanguageModel]) -> LanguageModel:
    return register("Orion 7B", organisation="Northlab")


@pytest.fixture
def lyra(register: Callable[..., LanguageModel]) -> LanguageModel:
    return register("Lyra 13B", organisation="Blue Peak")


@pytest.fixture
def pavo(register: Callable[..., LanguageModel]) -> LanguageModel:
    return register("Pavo 3B", organisation="OpenForge")


@pytest.fixture
def visitor(db: None) -> Participant:
    """Somebody without an account."""
    from django.contrib.auth.models import AnonymousUser

    return Participant(voters.remember("a random id", AnonymousUser()), AnonymousUser())


@pytest.fixture
def stranger(db: None) -> Participant:
    """Somebody else without an account."""
    from django.contrib.auth.models import AnonymousUser

    return Participant(voters.remember("another random id", AnonymousUser()), AnonymousUser())


@pytest.fixture
def begin(visitor: Participant) -> Callable[..., Battle]:
    """Begin a battle of the visitor, without running it."""

    def begin(prompt: str = "What is the capital of France?", who: Participant = visitor) -> Battle:
        return battles.start(who, key=uuid.uuid4(), prompt=prompt)

    return begin


@pytest.fixture
def finish() -> Callable[..., Battle]:
    """End the last turn of a battle as if both models had answered."""

    def finish(battle: Battle, a: AnswerState = AnswerState.COMPLETE, b: AnswerState = AnswerState.COMPLETE) -> Battle:
        turn = Turn.objects.filter(battle=battle).latest("index")
        for side, state in (("a", a), ("b", b)):
            answer = Answer.objects.filter(turn=turn, side=side).latest("attempt")
            text = f"Answer {side}"
            Answer.objects.filter(pk=answer.pk).update(state=state, text=text, shown_text=text)
        return battles.load(battle.pk)

    return finish


@pytest.fixture
def voted(begin: Callable[..., Battle], finish: Callable[..., Battle], visitor: Participant) -> Callable[..., Battle]:
    """A battle that has its vote."""

    def voted(outcome: str = "a") -> Battle:
        battle = finish(begin())
        battles.cast_vote(battle, visitor, outcome=outcome)
        return battles.load(battle.pk)

    return voted


def as_voter(client: Client, voter_id: str = "a random id") -> Client:
    """Give a test client the cookie of a visitor."""
    from django.core import signing

    client.cookies[voters.COOKIE] = signing.dumps(voter_id, salt=voters._SALT)
    return client


__all__ = ["SHARED_DATA", "Voter", "as_voter"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests come last: Playwright's loop runs in this thread from then on, and Django takes a thread with
    a running loop for one that must not touch the database."""
    items.sort(key=lambda item: "e2e" in item.path.parts)
