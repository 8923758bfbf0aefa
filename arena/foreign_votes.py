"""Files of votes that were cast elsewhere, as the ledger wants them: who voted on what, under keys that tell nobody."""

import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.utils import timezone

from stats.comparisons import Outcome as Side
from stats.file_tables import UnreadableFileError
from stats.vote_files import ColumnNames, Votes, Wanted, read_votes

CLOCKS_DIFFER: Final = timedelta(days=1)
BYTES_AT_ONCE: Final = 1 << 20
LONGEST_NAME: Final = 120
"""Of a model, as the registry has it."""

TextDigests = Mapping[int, tuple[str, str]]


class Reading(NamedTuple):
    """How a file is to be read, where its own columns do not say it."""

    columns: ColumnNames | None = None
    words: Mapping[str, Side] = {}

    def as_json(self) -> dict[str, Any]:
        columns = self.columns._asdict() if self.columns else {}
        return {**columns, "words": {word: int(side) for word, side in sorted(self.words.items())}}


class ForeignVote(NamedTuple):
    row_number: int
    left: str
    right: str
    side: Side
    cast_at: datetime | None
    voter_digest: str
    comparison_key: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ForeignVotes:
    """A file that was read. Its votes are made one by one: there may be millions."""

    path: Path
    digest: str
    reading: Reading
    votes: Votes
    texts: TextDigests | None
    """Of each row's two answers, where the file holds answers."""
    read_at: datetime = field(default_factory=timezone.now)

    def __len__(self) -> int:
        return len(self.votes.row_numbers)

    def __getitem__(self, index: int) -> ForeignVote:
        votes = self.votes
        left, right = (votes.names[int(side[index])] for side in (votes.comparisons.left, votes.comparisons.right))
        row_number = int(votes.row_numbers[index])
        prompt = votes.prompts.at(index) if votes.prompts else ""
        voter = votes.voters.at(index) if votes.voters else ""
        return ForeignVote(
            row_number=row_number,
            left=left,
            right=right,
            side=Side(int(votes.comparisons.outcome[index])),
            cast_at=self._time(index),
            voter_digest=voter_digest(voter) if voter else "",
            comparison_key=self._comparison_key(row_number, prompt, (left, right)) if prompt else "",
        )

    @property
    def notes(self) -> list[str]:
        """What the reader of the file cannot know."""
        n_odd = 0
        if self.votes.times is not None:
            n_odd = sum(math.isfinite(seconds) and self._time(i) is None for i, seconds in enumerate(self.votes.times))
        return [f"{n_odd} votes have a time before 1970 or in the future, which is not used."] if n_odd else []

    def _time(self, index: int) -> datetime | None:
        if self.votes.times is None:
            return None
        seconds = float(self.votes.times[index])
        if not 0 < seconds < (self.read_at + CLOCKS_DIFFER).timestamp():  # nor NaN
            return None
        return datetime.fromtimestamp(seconds, UTC)

    def _comparison_key(self, row_number: int, prompt: str, names: tuple[str, str]) -> str:
        """The same for both ways round. A file with answers may put one question to the same models twice, and what
        they wrote tells the two apart; of a row without, nobody can say which of them it is."""
        texts = ("", "") if self.texts is None else self.texts.get(row_number)
        if texts is None:
            return ""
        answers = sorted(zip(names, texts, strict=True))
        return hashlib.sha256(json.dumps([prompt, *answers]).encode()).hexdigest()


def read_file(path: Path, reading: Reading) -> ForeignVotes:
    """Raises VoteFileError: it cannot be read, or has no vote that can be used."""
    digest = _digest_of(path)
    votes = read_votes(path, columns=reading.columns, words=reading.words)
    if long := [name for name in votes.names if len(name) > LONGEST_NAME]:
        raise UnreadableFileError(
            f"{path}: the name {long[0][:40]!r}… has {len(long[0])} characters, and a model's may have {LONGEST_NAME}. "
            "Shorten it in the file, or name the column of the models."
        )
    texts = _texts(path, reading) if votes.prompts else None
    return ForeignVotes(path=path, digest=digest, reading=reading, votes=votes, texts=texts)


def voter_digest(voter: str) -> str:
    """Keyed, as of those who vote here: names of files are often addresses of people."""
    return hmac.new(settings.VOTER_KEY.encode(), f"imported {voter}".encode(), "sha256").hexdigest()


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BYTES_AT_ONCE):
                digest.update(block)
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror}.") from error
    return digest.hexdigest()


def _texts(path: Path, reading: Reading) -> TextDigests | None:
    """None where the file holds no answers. Rows whose answers cannot be read are not in it."""
    try:
        votes = read_votes(path, columns=reading.columns, words=reading.words, wanted=Wanted(about=False, texts=True))
    except UnreadableFileError:  # it was read before: now all rows lack their answers
        return {}
    if votes.left_texts is None or votes.right_texts is None:
        return None
    pairs = zip(votes.left_texts, votes.right_texts, strict=True)
    digests = ((_text_digest(left), _text_digest(right)) for left, right in pairs)
    return dict(zip(votes.row_numbers.tolist(), digests, strict=True))


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
