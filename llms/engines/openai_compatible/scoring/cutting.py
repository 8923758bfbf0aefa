"""What cuts texts into the tokens of a server's model: its own tokenizer, registered here, or the server itself."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from llms.engines.base import LoadingFailed
from llms.engines.huggingface.sources import BadSource, HubId, parse_source
from llms.engines.openai_compatible.replies import as_object
from llms.engines.scored_texts import Tokens
from llms.sentences import filled, mark

TOKENIZER, SETTINGS = "tokenizer.json", "tokenizer_config.json"
NO_TOKENIZER = mark("There is no tokenizer at %(place)s (%(why)s): name a folder that holds tokenizer.json.")


class FileCutter:
    """A tokenizer.json, without transformers: the same library cuts. Safe from any thread."""

    def __init__(self, folder: Path) -> None:
        """Raises `LoadingFailed`."""
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            settings = json.loads((folder / SETTINGS).read_text("utf-8")) if (folder / SETTINGS).is_file() else {}
        except Exception as error:  # the library raises plain `Exception` for a file that it cannot read
            raise LoadingFailed(filled(NO_TOKENIZER, place=folder, why=str(error)[:200])) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._first_text = next(_first_texts(as_object(settings)), "")
        self.first_token: int | None = self._tokenizer.token_to_id(self._first_text) if self._first_text else None

    def cut(self, texts: Sequence[str], *, is_beginning: bool) -> list[Tokens]:
        adds = is_beginning and not (self._first_text and texts[0].startswith(self._first_text))
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=adds)
        return [list(one.ids) for one in encoded]

    def text_of(self, token: int) -> str:
        return str(self._tokenizer.decode([token], skip_special_tokens=False))


def file_cutter(named: str) -> FileCutter:
    """Of a folder, or of a repository on the hub, of which only the tokenizer is fetched. Raises `LoadingFailed`."""
    try:
        place = parse_source(named, "")
    except BadSource as error:
        raise LoadingFailed(error.args[0]) from error
    if not isinstance(place, HubId):
        return FileCutter(place.path)
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - slow to import, and rarely needed

    try:
        return FileCutter(Path(snapshot_download(place.name, allow_patterns=[TOKENIZER, SETTINGS])))
    except (OSError, ValueError) as error:
        raise LoadingFailed(filled(NO_TOKENIZER, place=named, why=str(error)[:200])) from error


def _first_texts(settings: dict[str, Any]) -> Iterator[str]:
    for name in ("bos_token", "eos_token"):
        stated = settings.get(name)
        text = stated.get("content") if isinstance(stated, dict) else stated
        if isinstance(text, str) and text:
            yield text
