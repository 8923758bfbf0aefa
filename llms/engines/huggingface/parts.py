"""The files behind a source, as far as they are on this machine. Fetches nothing and imports no torch."""

from pathlib import Path

from llms.engines.huggingface.adapters import WEIGHTS, tokenizer_folder
from llms.engines.huggingface.sources import Folder, GgufFile, HubId, parse_source
from llms.engines.huggingface.tensors import weight_files
from llms.identity import Parts


def parts_of(source: str, revision: str, adapter: str | None) -> Parts | None:
    """None for a hub id that was never fetched: nobody knows yet what it will bring."""
    place = parse_source(source, revision)
    if isinstance(place, GgufFile):
        own = tokenizer_folder(adapter, place.path)
        return _with_adapter(Parts((place.path,), tokenizer=own if own != place.path else None), adapter)
    folder = place.path if isinstance(place, Folder) else _cached(place)
    if folder is None:
        return None
    return _with_adapter(Parts(tuple(weight_files(folder)), folder, tokenizer_folder(adapter, folder)), adapter)


def _with_adapter(parts: Parts, adapter: str | None) -> Parts:
    return parts._replace(adapter=Path(adapter), adapter_weights=Path(adapter, WEIGHTS)) if adapter else parts


def _cached(hub_id: HubId) -> Path | None:
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - slow, and seldom needed

    path = try_to_load_from_cache(hub_id.name, "config.json", revision=hub_id.revision)
    return Path(path).parent if isinstance(path, str) else None
