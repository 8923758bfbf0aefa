"""Every write to a battle: start, take_turn, retry, replace, cast_vote, abstain; and the standings handed down.

Each verb is one short transaction. What two people could do at once is decided by constraints and compare-and-set,
so it does not matter which tab, process or retry of the network asks first.
"""

import random
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from arena import ledger, lineup, matchmaking
from arena.errors import AlreadyVoted, ArenaError, BadPrompt, NotEnoughModels, NotNow, NotYourBattle, StillLoading
from arena.masking import Names, mask
from arena.models import LIVE_STATES, Answer, Battle, Outcome, Standing, Turn, Vote, Voter
from arena.muster import muster
from arena.protocol import SIDES, AnswerState, Phase, Side
from llms.models import LanguageModel, Visibility
from telemetry import metrics

POSITIVE_REASONS = {
    "useful": _("useful"),
    "complete": _("complete"),
    "creative": _("creative"),
    "clear_formatting": _("clear formatting"),
}
NEGATIVE_REASONS = {
    "incorrect": _("incorrect"),
    "superficial": _("superficial"),
    "instructions_not_followed": _("instructions not followed"),
}
REASONS = POSITIVE_REASONS | NEGATIVE_REASONS
COMMENT_LIMIT = 2_000
ABANDONED_AFTER = timedelta(seconds=30)
"""A running turn is written to every second. Silence for so long means that its process is gone."""

_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Participant:
    """Who acts: the voter behind the cookie, and the account, if somebody is signed in."""

    voter: Voter
    user: User | AnonymousUser


# --- reading -----------------------------------------------------------------------------------------------------


def load(battle_id: uuid.UUID) -> Battle:
    return Battle.objects.with_everything().get(pk=battle_id)


def last_turn(battle: Battle) -> Turn:
    return battle.story[-1]


def current_answers(turn: Turn) -> dict[Side, Answer]:
    """The last attempt of each side."""
    latest = {answer.side: answer for answer in turn.attempts}
    return {side: latest[side] for side in SIDES}


def phase_of(battle: Battle) -> Phase:
    answers = current_answers(last_turn(battle)).values()
    if any(answer.state in LIVE_STATES for answer in answers):
        return Phase.ANSWERING  # what is still being answered has no vote yet
    if battle.abstained_at:
        return Phase.ABSTAINED
    if hasattr(battle, "vote"):
        return Phase.REVEALED
    return Phase.VOTING if all(answer.ended_well for answer in answers) else Phase.STUCK


def names_to_hide() -> Names:
    return lineup.current().names


# --- turns -------------------------------------------------------------------------------------------------------


def start(who: Participant, *, key: uuid.UUID, prompt: str, rematch_of: uuid.UUID | None = None) -> Battle:
    """Draw a pair and put the first turn before it. Asked twice with one key, it is one battle. With everything."""
    begun = Battle.objects.filter(voter=who.voter, key=key)
    if begun.exists():
        return begun.with_everything().get()
    text = checked_prompt(prompt)
    former = Battle.objects.open_to(who.voter, who.user).filter(pk=rematch_of).first() if rematch_of else None
    registered = lineup.current()
    present = muster(who.user, registered)
    try:
        pair = _draw(_weights(present.ready), former)
    except NotEnoughModels:
        if present.n_loading:
            raise StillLoading(present.words) from None
        raise
    battle = Battle(
        voter=who.voter,
        key=key,
        llm_a=registered.llms[pair.llm_a],
        llm_b=registered.llms[pair.llm_b],
        probability=pair.probability,
        rematch_of=former,
    )
    try:
        with transaction.atomic():
            battle.save(force_insert=True)
            battle.story = [_add_turn(battle, index=0, key=key, prompt=text)]
    except IntegrityError:
        return begun.with_everything().get()
    battle.is_new = True
    return battle


def take_turn(battle: Battle, who: Participant, *, key: uuid.UUID, prompt: str) -> Turn:
    """Go on with both models. Asked twice with one key, it is one turn. A new one is the last of its battle's story."""
    _check_owner(battle, who)
    repeated = battle.turns.filter(key=key).first()
    if repeated:
        return repeated
    text = checked_prompt(prompt)
    with transaction.atomic():
        battle = _own(battle, who)
        index = last_turn(battle).index + 1
        if phase_of(battle) != Phase.VOTING:
            raise NotNow(_("You can go on when both answers are complete."))
        if index >= settings.TURN_LIMIT:
            raise NotNow(_("This battle has reached its last turn. Vote, or begin a new one."))
        turn = _add_turn(battle, index=index, key=key, prompt=text)
        battle.story.append(turn)
        return turn


def retry(battle: Battle, who: Participant) -> Turn:
    """Ask again on each side whose last answer cannot be judged. The former attempts are kept."""
    _check_owner(battle, who)
    with transaction.atomic():
        battle = _own(battle, who)
        if phase_of(battle) != Phase.STUCK:
            raise NotNow(_("There is nothing to retry."))
        turn = last_turn(battle)
        turn.attempts += Answer.objects.bulk_create(
            Answer(turn=turn, side=answer.side, llm=answer.llm, attempt=answer.attempt + 1)
            for answer in current_answers(turn).values()
            if not answer.ended_well
        )
        Turn.objects.filter(pk=turn.pk).update(ended_at=None, heartbeat_at=Now(), stop_requested=False)
        turn.is_new = True
        return turn


def replace(answer: Answer, user: User | AnonymousUser, *, already_tried: Collection[int]) -> Answer | None:
    """Let another model take over a side that failed on the first turn, or None if there is no other.

    The pair that results was not drawn with any known probability, so the battle loses its own.
    """
    with transaction.atomic():
        battle = _locked(answer.turn.battle)
        both = {battle.llm_a_id, battle.llm_b_id}
        registered = lineup.current()
        weights = _weights(muster(user, registered).ready)
        llm_id = matchmaking.draw_replacement(weights, _random, not_these=both | set(already_tried))
        if llm_id is None:
            return None
        changed = Answer.objects.filter(pk=answer.pk, state=AnswerState.FAILED).update(state=AnswerState.REPLACED)
        if not changed:
            return None
        seat = {"llm_a_id": llm_id} if answer.side == "a" else {"llm_b_id": llm_id}
        Battle.objects.filter(pk=battle.pk).update(probability=None, **seat)
        llm = registered.llms[llm_id]
        return Answer.objects.create(turn=answer.turn, side=answer.side, llm=llm, attempt=answer.attempt + 1)


def request_stop(battle: Battle, who: Participant) -> None:
    """Leave word for whichever process runs the turn."""
    _check_owner(battle, who)
    Turn.objects.filter(battle=battle, ended_at=None).update(stop_requested=True)


def cut_off_abandoned(*, silent_for: timedelta = ABANDONED_AFTER) -> int:
    """End the turns whose process died. Their text stays, as far as it was written. Returns how many that were.

    The database's clock decides, as it does when turns are written to: the hosts' clocks may disagree."""
    names: Names | None = None
    n_ended = 0
    for turn in list(Turn.objects.abandoned(silent_for)):
        names = names or names_to_hide()
        with transaction.atomic():
            if not Turn.objects.abandoned(silent_for).filter(pk=turn.pk).update(ended_at=Now()):
                continue
            for answer in Answer.objects.filter(turn=turn, state__in=LIVE_STATES):
                Answer.objects.filter(pk=answer.pk, state__in=LIVE_STATES).update(
                    state=AnswerState.CUT_OFF, shown_text=mask(answer.text, names, is_whole=False), ended_at=Now()
                )
            n_ended += 1
    return n_ended


# --- the vote ----------------------------------------------------------------------------------------------------


def cast_vote(battle: Battle, who: Participant, *, outcome: str) -> Vote:
    """The one vote of a battle, counted in the same transaction. A second one raises `AlreadyVoted`, unless it says
    the same: then it is the first one, whose acknowledgement was lost on the way."""
    _check_owner(battle, who)
    if outcome not in Outcome.values:
        raise ArenaError(_("This is no possible vote."))
    try:
        with transaction.atomic():
            battle = _own(battle, who)
            if phase_of(battle) == Phase.REVEALED:
                return _the_same(battle.vote, outcome)
            if phase_of(battle) != Phase.VOTING:
                raise NotNow(_("You can vote when both answers are complete."))
            vote = Vote.objects.create(battle=battle, voter=who.voter, outcome=outcome, created_at=timezone.now())
            vote.is_new = True
            ledger.count(vote)
            transaction.on_commit(metrics.VOTES.labels(outcome).inc)
    except IntegrityError:
        return _the_same(Vote.objects.get(battle=battle), outcome)
    return vote


def _the_same(vote: Vote, outcome: str) -> Vote:
    if vote.outcome != outcome:
        raise AlreadyVoted
    return vote


def abstain(battle: Battle, who: Participant) -> None:
    """The voter cannot say: the battle ends, nothing is counted and nothing revealed."""
    _check_owner(battle, who)
    with transaction.atomic():
        battle = _own(battle, who)
        if phase_of(battle) not in {Phase.VOTING, Phase.STUCK, Phase.ABSTAINED}:
            raise NotNow(_("You can end the battle when both answers are complete."))
        Battle.objects.filter(pk=battle.pk, abstained_at=None).update(abstained_at=timezone.now())


def give_feedback(battle: Battle, who: Participant, *, reasons: Iterable[str], comment: str) -> Vote:
    """Say why. May be changed later; the outcome may not."""
    _check_owner(battle, who)
    chosen = [reason for reason in REASONS if reason in set(reasons)]
    if len(comment) > COMMENT_LIMIT:
        raise ArenaError(_("The comment is too long. At most %(limit)d characters.") % {"limit": COMMENT_LIMIT})
    vote = Vote.objects.filter(battle=battle).first()
    if vote is None:
        raise NotNow(_("Vote first; then you can say why."))
    vote.reasons, vote.comment = chosen, _without_nul(comment)
    vote.save(update_fields=["reasons", "comment"])
    return vote


# --- standings ---------------------------------------------------------------------------------------------------


@transaction.atomic
def accept_standings(audience: Visibility, standings: Iterable[Standing]) -> None:
    """Replace what the arena knows of ratings. Called by the leaderboard, which knows how they came about."""
    Standing.objects.filter(audience=audience).delete()
    Standing.objects.bulk_create(standings)


# --- helpers -----------------------------------------------------------------------------------------------------


def checked_prompt(prompt: str) -> str:
    text = _without_nul(prompt).strip()
    if not text:
        raise BadPrompt(_("Write a prompt first."))
    if len(text) > settings.PROMPT_LIMIT:
        raise BadPrompt(
            _("The prompt has %(length)d characters. At most %(limit)d are allowed.")
            % {"length": len(text), "limit": settings.PROMPT_LIMIT}
        )
    return text


def _without_nul(text: str) -> str:
    return text.replace("\x00", "")


def _weights(contenders: Iterable[LanguageModel]) -> dict[int, float]:
    return {llm.pk: llm.battle_weight for llm in contenders}


def _draw(weights: dict[int, float], former: Battle | None) -> matchmaking.Draw:
    """A rematch of the same prompt meets new models if there are two, and at least never the same pair."""
    never: list[frozenset[int]] = []
    if former:
        seen = {former.llm_a_id, former.llm_b_id}
        fresh = {id_: weight for id_, weight in weights.items() if id_ not in seen}
        weights = fresh if len(fresh) >= 2 else weights
        never = [frozenset(seen)] if len(weights) > 2 else []
    try:
        return matchmaking.draw(weights, _random, never=never)
    except matchmaking.TooFewContenders as error:
        raise NotEnoughModels from error


def _check_owner(battle: Battle, who: Participant) -> None:
    if battle.voter_id != who.voter.pk:
        raise NotYourBattle


def _own(battle: Battle, who: Participant) -> Battle:
    """Held, and still theirs: with a sign-in a battle passes to the account."""
    battle = _locked(battle)
    _check_owner(battle, who)
    return battle


def _locked(battle: Battle) -> Battle:
    """The battle as it is now, held against everybody else until the transaction ends."""
    Battle.objects.select_for_update().only("pk").get(pk=battle.pk)
    return load(battle.pk)


def _add_turn(battle: Battle, *, index: int, key: uuid.UUID, prompt: str) -> Turn:
    turn = Turn.objects.create(battle=battle, index=index, key=key, prompt=prompt)
    turn.is_new = True
    seats = (("a", battle.llm_a), ("b", battle.llm_b))
    turn.attempts = Answer.objects.bulk_create(Answer(turn=turn, side=side, llm=llm) for side, llm in seats)
    return turn
