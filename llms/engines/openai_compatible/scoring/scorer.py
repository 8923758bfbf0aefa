"""Scores given texts with a model that a server has: requests and rules are those of weights loaded here."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from llms.engines.base import (
    ContinuationScore,
    GenerationFailed,
    LoglikelihoodRequest,
    RequestScores,
    ScoringMethod,
    TextStatistics,
    TokenStatistics,
)
from llms.engines.openai_compatible.asking import Asker, Patience
from llms.engines.openai_compatible.scoring.cutting import FileCutter, file_cutter
from llms.engines.openai_compatible.scoring.routes import ALIKE, Entry
from llms.engines.openai_compatible.scoring.survey import Surveyed, Surveyor
from llms.engines.openai_compatible.scoring.wire import Wire
from llms.engines.openai_compatible.server import Server
from llms.engines.scored_texts import UNLIMITED, Needed, ScoredText, Tokens, encodable, needed
from llms.sentences import filled, mark

ANSWERS_AHEAD = 3
"""Requests under way for each place at the server: none of its places stands empty while answers are read."""
PATIENCE = Patience()
Found = TypeVar("Found")


class ServedScorer:
    """Safe from any thread."""

    def __init__(self, server: Server, name: str, tokenizer: str | None, max_context: int | None) -> None:
        self._server, self._name = server, name
        self._tokenizer, self._max_context = tokenizer, max_context
        self._file: FileCutter | None = None
        self._is_closed = False
        self._wire = Wire(server, lambda: self._is_closed)
        self._lock = threading.Lock()
        self._fresh: Surveyed | None = None
        """Found out, and not yet used by a run."""

    def loglikelihoods(self, requests: Sequence[LoglikelihoodRequest]) -> Iterator[RequestScores]:
        """Asks the server first what it can. Raises `EngineError` at once."""
        surveyed = self._surveyed(anew=False)

        asking = _Asking(surveyed)
        return self._results(asking.scores(index, request) for index, request in enumerate(requests))

    def token_statistics(self, texts: Sequence[str]) -> Iterator[TextStatistics]:
        """Log-probabilities alone: no server gives mean and deviation under the full distribution."""
        surveyed = self._surveyed(anew=False)

        asking = _Asking(surveyed)
        return self._results(asking.statistics(index, text) for index, text in enumerate(texts))

    def method(self) -> ScoringMethod:
        """Of the server as it is now."""
        surveyed = self._surveyed(anew=True)
        scheme = filled(surveyed.route.scheme)
        if surveyed.n_alternatives:
            scheme = filled(mark("%(scheme)s; answers of one token by the likeliest next tokens"), scheme=scheme)
        length = surveyed.max_length if surveyed.max_length < UNLIMITED // 2 else 0
        versions = {"server": surveyed.server} if surveyed.server else {}
        return ScoringMethod(scheme, "", "", "", length, versions, evidence=surveyed.evidence)

    def close(self) -> None:
        """Iterators that still run end with `GenerationFailed`."""
        self._is_closed = True

    def _surveyed(self, *, anew: bool) -> Surveyed:
        """Found out once a run: what `method` saw serves the run that asked for it, and no later one."""
        with self._lock:
            found, self._fresh = self._fresh, None
        if anew or found is None:
            found = asyncio.run(self._survey())
        if anew:
            with self._lock:
                self._fresh = found
        return found

    async def _survey(self) -> Surveyed:
        self._check_open()
        asker = Asker(self._server, PATIENCE)
        try:
            return await Surveyor(asker, self._wire, self._name).survey(self._registered(), self._max_context)
        finally:
            await asker.close()
            await self._wire.close()

    def _registered(self) -> FileCutter | None:
        if self._tokenizer and self._file is None:
            self._file = file_cutter(self._tokenizer)
        return self._file

    def _check_open(self) -> None:
        if self._is_closed:
            raise GenerationFailed("the engine is closed")

    def _results(self, questions: Iterator[Coroutine[Any, Any, Found]]) -> Iterator[Found]:
        """As they come. What is done before one fails is given first."""
        with asyncio.Runner() as runner:
            under_way: set[asyncio.Task[Found]] = set()
            try:
                while True:
                    done, under_way = runner.run(_advanced(under_way, questions, self._n_ahead))
                    if not done:
                        return
                    failed = [task for task in done if task.exception()]
                    yield from (task.result() for task in done - set(failed))
                    if failed:
                        failed[0].result()
            finally:
                runner.run(_ended(under_way))
                runner.run(self._wire.close())

    @property
    def _n_ahead(self) -> int:
        return ANSWERS_AHEAD * self._server.connection.max_concurrent


class _Asking:
    """One run's questions."""

    def __init__(self, surveyed: Surveyed) -> None:
        self._cutter, self._route, self._rules = surveyed.cutter, surveyed.route, surveyed.rules
        self._n_alternatives = surveyed.n_alternatives

    async def scores(self, index: int, request: LoglikelihoodRequest) -> RequestScores:
        wanted = needed(request)
        texts = self._rules.pairs(wanted, await self._cut(wanted)) if request.continuations else []
        known = await self._by_next_token(texts)
        found = [known[place] if place in known else await self._scored(text) for place, text in enumerate(texts)]
        return RequestScores(index, tuple(found))

    async def statistics(self, index: int, text: str) -> TextStatistics:
        (tokens,) = await self._cut(Needed((encodable(text),), is_beginning=False))
        values: list[float] = []
        for window in self._rules.windows(tokens):
            values += [entry.log_probability for entry in await self._route.entries(window)]
        return TextStatistics(index, TokenStatistics(tuple(values), (), ()))

    async def _cut(self, wanted: Needed) -> list[Tokens]:
        if isinstance(self._cutter, FileCutter):
            return self._cutter.cut(wanted.texts, is_beginning=wanted.is_beginning)
        return await self._cutter.cut(wanted)

    async def _by_next_token(self, texts: Sequence[ScoredText]) -> Mapping[int, ContinuationScore]:
        """Answers of one token, those of the same context by one question. What is not among the likeliest is missing,
        and asked for by itself."""
        by_context: dict[tuple[int, ...], list[int]] = defaultdict(list)
        if self._n_alternatives:
            for place, text in enumerate(texts):
                if text.n_scored == 1:
                    by_context[tuple(text.tokens[:-1])].append(place)
        found = {}
        for context, places in by_context.items():
            likeliest = (await self._route.after(list(context), self._n_alternatives)).by_id
            best = max(likeliest.values(), default=0.0)
            for place in places:
                text = texts[place]
                if (value := likeliest.get(text.tokens[-1])) is not None:
                    found[place] = ContinuationScore(value, value >= best - ALIKE, 1, text.was_truncated)
        return found

    async def _scored(self, text: ScoredText) -> ContinuationScore:
        entries: list[Entry] = await self._route.entries(text)
        total = sum(entry.log_probability for entry in entries)
        is_greedy = all(entry.is_first for entry in entries)
        return ContinuationScore(total, is_greedy, len(entries), text.was_truncated)


async def _advanced(
    under_way: "set[asyncio.Task[Found]]", questions: Iterator[Coroutine[Any, Any, Found]], n_ahead: int
) -> "tuple[set[asyncio.Task[Found]], set[asyncio.Task[Found]]]":
    """Those that are done by now, and those that are not: as many as may be, as long as there are questions."""
    while len(under_way) < n_ahead and (question := next(questions, None)) is not None:
        under_way.add(asyncio.ensure_future(question))
    if not under_way:
        return set(), set()
    return await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)


async def _ended(tasks: "set[asyncio.Task[Found]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
