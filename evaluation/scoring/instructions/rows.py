"""A row of IFEval's prompts: what is asked, and which instructions the answer has to follow."""

from collections.abc import Mapping
from typing import NamedTuple

from evaluation.benchmarks.rows import Row, shown, text
from evaluation.errors import BadRow
from evaluation.scoring.instructions.checking import Instruction, instructions_of
from llms.sentences import filled, mark


class Prompt(NamedTuple):
    key: str
    text: str
    instructions: tuple[Instruction, ...]


def prompt_of(row: Row) -> Prompt:
    """Raises BadRow."""
    key, kinds, arguments = row.get("key"), row.get("instruction_id_list"), row.get("kwargs")
    if not isinstance(key, int | str) or isinstance(key, bool) or not str(key).strip():
        raise BadRow(
            filled(mark("“%(field)s” must be a number or a name, not %(value)s"), field="key", value=shown(key))
        )
    for name, value in (("instruction_id_list", kinds), ("kwargs", arguments)):
        if not isinstance(value, list | tuple) or not value:
            raise BadRow(filled(mark("“%(field)s” must be a list, not %(value)s"), field=name, value=shown(value)))
    for one in arguments or ():
        if not isinstance(one, Mapping):
            raise BadRow(filled(mark("“kwargs” must be a list of objects, not %(value)s"), value=shown(one)))
    return Prompt(str(key), text(row, "prompt"), instructions_of(kinds or (), arguments or ()))
