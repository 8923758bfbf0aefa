"""YAML that remembers on which line each value stands, read within bounds. Pure.

Only what JSON could say as well: no anchors and aliases, which can be made to explode, no tags, and no key twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from llms.sentences import Sentence, filled, mark

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 20
MERGE = "<<"


class BadYaml(ValueError):
    """The text cannot be read; `line` counts from 1."""

    def __init__(self, line: int, words: Sentence) -> None:
        super().__init__(words)
        self.line = line
        self.words = words


@dataclass(frozen=True, slots=True)
class Located:
    """A value: a scalar, a list of `Located`, or a dict of them."""

    value: Any
    line: int

    def plain(self) -> Any:
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


def read(text: str) -> Located:
    """Raises `BadYaml`."""
    if len(text) > MAX_CHARACTERS:
        words = mark("The file is longer than %(most)s characters: that is no list of models.")
        raise BadYaml(1, filled(words, most=MAX_CHARACTERS))
    try:
        for event in _bounded(text):
            _check(event)
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        return Located({}, 1) if node is None else _located(loader, node)
    except yaml.YAMLError as error:
        raise _as_bad_yaml(error) from error
    except ValueError as error:
        if isinstance(error, BadYaml):
            raise
        raise BadYaml(1, filled(mark("A value cannot be read (%(problem)s)."), problem=error)) from error


def _bounded(text: str) -> Iterator[yaml.Event]:
    """Each event of the text; nothing is built yet, however deep it is nested."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            _refuse(event, filled(mark("The values are nested deeper than %(most)s levels."), most=MAX_DEPTH))
        yield event


def _check(event: yaml.Event) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        _refuse(event, filled(mark("Anchors (&) and aliases (*) are not taken: write the value out.")))
    if tag := getattr(event, "tag", None):
        _refuse(event, filled(mark("Tags such as %(tag)s are not taken: write the plain value."), tag=tag))


def _refuse(event: yaml.Event, words: Sentence) -> NoReturn:
    raise BadYaml(event.start_mark.line + 1 if event.start_mark else 1, words)


def _located(loader: yaml.SafeLoader, node: yaml.Node) -> Located:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return Located(_mapping(loader, node), line)
    if isinstance(node, yaml.SequenceNode):
        return Located([_located(loader, item) for item in node.value], line)
    return Located(loader.construct_object(node), line)


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[str, Located]:
    found: dict[str, Located] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.value == MERGE:
            raise BadYaml(line, filled(mark("A name is wanted here, followed by a colon.")))
        if key.value in found:
            words = mark("%(name)s stands twice, first on line %(line)s: take one away.")
            raise BadYaml(line, filled(words, name=key.value, line=found[key.value].line))
        found[key.value] = _located(loader, value)
    return found


def _as_bad_yaml(error: yaml.YAMLError) -> BadYaml:
    place = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    words = filled(mark("This is not valid YAML (%(problem)s)."), problem=problem)
    return BadYaml(place.line + 1 if place else 1, words)
