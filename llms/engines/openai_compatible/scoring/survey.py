"""Before a run: what of the probe concerns scores, asked anew, and then the very way in which the run will ask.

A server that fails is refused with the finding and what to do. Otherwise its numbers would look like those of a model
that knows nothing.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from llms.engines.base import AccessRefused, EngineUnreachable, NotSupported
from llms.engines.openai_compatible.asking import Asker, Refused, Unanswered
from llms.engines.openai_compatible.completion_questions import CompletionQuestions
from llms.engines.openai_compatible.findings import Judgement, Verdict
from llms.engines.openai_compatible.scoring.cutting import FileCutter
from llms.engines.openai_compatible.scoring.proof import check_tokenizer, prove
from llms.engines.openai_compatible.scoring.routes import EchoRoute, NativeRoute, Route
from llms.engines.openai_compatible.scoring.served_cutting import ServedCutter
from llms.engines.openai_compatible.scoring.wire import Wire
from llms.engines.openai_compatible.server_facts import Facts, ServerFacts
from llms.engines.scored_texts import UNLIMITED, Rules
from llms.sentences import Sentence, filled, mark

KNOWS_TOKEN_IDS = ("vLLM",)
"""Spell tokens as ids when asked to. Others may refuse a field that they do not know."""
SPEAKS_NATIVELY = "SGLang"
REFUSED = mark("%(server)s cannot score given answers: %(what)s. %(finding)s %(advice)s")
ADVICE = mark(
    "Serve the model with vLLM or SGLang, which can, or register its weights with the engine huggingface. With the "
    "server as it is, only benchmarks with written answers can be run."
)
NAME_ITS_TOKENIZER = mark(
    "Name the tokenizer in the model's options, for example %(example)s: a folder with tokenizer.json, or a hub id."
)
NEEDED = {
    "prompt_log_probabilities": mark("log-probabilities of what it is given are not to be had"),
    "token_ids": mark("it does not take prompts as token ids"),
    "tokenization": mark("nobody knows how it cuts a text into tokens"),
}
THE_SERVER = mark("The server")


class Surveyed(NamedTuple):
    """How one model of a server is asked for scores."""

    server: str
    """Its name and version, as it states them."""
    evidence: Sentence
    """That its numbers can be believed."""
    cutter: FileCutter | ServedCutter
    route: Route
    rules: Rules
    max_length: int
    n_alternatives: int
    """Next tokens that it names, with their ids; 0 where it names none so."""


class Surveyor:
    def __init__(self, asker: Asker, wire: Wire, name: str) -> None:
        self._asker, self._wire, self._name = asker, wire, name
        self._questions = CompletionQuestions(asker, name)
        self._server = filled(THE_SERVER)

    async def survey(self, tokenizer: FileCutter | None, max_context: int | None) -> Surveyed:
        """Raises `NotSupported` for a server whose numbers cannot be used, other `EngineError`s for one that cannot be
        asked."""
        try:
            facts = ServerFacts(self._asker)
            stated = await facts.server()
            served = await facts.of(self._name)
        except Unanswered as unanswered:
            raise EngineUnreachable(unanswered.words) from unanswered
        self._server = filled("%(name)s", name=stated.server) if stated.server else self._server
        alternatives = await self._asked(self._questions.generated)
        tokenization = await self._asked(self._questions.tokenization)  # makes the next questions sharper
        route = await self._route(stated)
        await self._must("token_ids", self._questions.token_ids)
        cutter = self._cutter(stated, tokenizer, tokenization)
        if isinstance(cutter, ServedCutter):
            await cutter.learn()
        else:
            await check_tokenizer(self._wire, self._name, cutter, self._refuse)
        proof = await prove(route, cutter, alternatives.number or 0, self._refuse)
        limit = max_context or (served.context.number if served.context else None)
        max_length = (limit or UNLIMITED) - 2  # a token may have to be written, and the last of a text is read as well
        rules = Rules(cutter.first_token, max_length)
        return Surveyed(stated.server, proof.evidence, cutter, route, rules, max_length, proof.n_alternatives)

    def _cutter(self, stated: Facts, tokenizer: FileCutter | None, judgement: Judgement) -> FileCutter | ServedCutter:
        if tokenizer:
            return tokenizer
        if judgement.verdict != Verdict.YES:
            example = '{"tokenizer": "/models/orion"}'
            self._refuse("tokenization", judgement.evidence, filled(NAME_ITS_TOKENIZER, example=example))
        return ServedCutter(self._wire, self._name, stated.kind)

    async def _route(self, stated: Facts) -> Route:
        if stated.kind == SPEAKS_NATIVELY:
            return NativeRoute(self._wire, self._name)
        await self._must("prompt_log_probabilities", self._questions.of_prompts)
        writes_nothing = (await self._asked(self._questions.no_new_tokens)).verdict == Verdict.YES
        gives_ids = stated.kind in KNOWS_TOKEN_IDS
        return EchoRoute(self._wire, self._name, n_new=0 if writes_nothing else 1, gives_ids=gives_ids)

    async def _must(self, capability: str, ask: Callable[[], Awaitable[Judgement]]) -> None:
        judgement = await self._asked(ask)
        if judgement.verdict != Verdict.YES:
            self._refuse(capability, judgement.evidence)

    async def _asked(self, ask: Callable[[], Awaitable[Judgement]]) -> Judgement:
        try:
            return await ask()
        except Refused as refused:
            if refused.status in {401, 403}:
                words = mark("The server does not accept the key (status %(status)s). Type it anew.")
                raise AccessRefused(filled(words, status=refused.status)) from refused
            return Judgement(Verdict.NO, refused.words)
        except Unanswered as unanswered:
            raise EngineUnreachable(unanswered.words) from unanswered

    def _refuse(self, capability: str, finding: Sentence, advice: Sentence | None = None) -> None:
        words = filled(
            REFUSED,
            server=self._server,
            what=filled(NEEDED[capability]),
            finding=finding,
            advice=advice or filled(ADVICE),
        )
        raise NotSupported(words)
