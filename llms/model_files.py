"""`models.yaml`: endpoints and models in a file that can be reviewed, kept in version control and applied again.

Applying is idempotent and all or nothing. A field that the file does not name stays as it is, and so does every row;
nothing is ever deleted. A key is never in the file: it names the environment variable that holds it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from llms import identification, refusals, registration
from llms.engines.openai_compatible.connection import is_key
from llms.model_file_fields import ENDPOINT_FIELDS, MODEL_FIELDS, Entry, Problem, entries
from llms.models import Endpoint, LanguageModel
from llms.sealing import WrongKey, seal, unseal
from llms.translations import translated
from llms.yaml_lines import BadYaml, read

HEADER = "# Endpoints and models of a Hakem. Apply with: python manage.py register -f FILE\n"
OWN_SECRETS = frozenset(
    {
        "SECRET_KEY",
        "FIELD_KEYS",
        "VOTER_KEY",
        "DATABASE_URL",
        "REDIS_URL",
        "CELERY_BROKER_URL",
        "METRICS_TOKEN",
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
    }
)
"""No server is sent these as its key, whatever a file says."""
KEY_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,120}")
KEY = "api_key_env"


class BadFile(ValueError):
    """Nothing was written."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(f"{problem.line}: {problem.words}" for problem in self.problems))


class FieldChange(NamedTuple):
    name: str
    old: Any
    new: Any


class Change(NamedTuple):
    kind: str
    """`endpoint` or `model`."""
    name: str
    is_new: bool
    fields: tuple[FieldChange, ...]


class Applied(NamedTuple):
    changes: list[Change]
    llms: list[LanguageModel]
    """Those that the file names."""
    others: list[str]
    """Slugs that are registered and not in the file. They stay as they are."""


def apply(text: str, environment: Mapping[str, str], *, dry_run: bool = False) -> Applied:
    """Raises `BadFile`. A dry run does everything, and takes it back."""
    try:
        found = read(text)
    except BadYaml as error:
        raise BadFile([Problem(error.line, translated(error.words))]) from error
    problems: list[Problem] = []
    endpoints = entries(found, "endpoints", "name", ENDPOINT_FIELDS, problems)
    llms = entries(found, "models", "slug", MODEL_FIELDS, problems)
    if problems:
        raise BadFile(problems)
    with transaction.atomic():
        applied = _Application(environment).run(endpoints, llms)
        transaction.set_rollback(dry_run)
    return applied


class _Application:
    """One run over the entries of a file, inside a transaction."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._environment = environment

    def run(self, endpoints: list[Entry], llms: list[Entry]) -> Applied:
        """Raises `BadFile` after the first stage that has problems: the next one would only complain of the same."""
        changes = [self._endpoint(entry) for entry in endpoints]
        self._stop_if_wrong()
        rows = [self._model(entry, changes) for entry in llms]
        self._stop_if_wrong()
        self._set_parents(llms, rows, changes)
        self._stop_if_wrong()
        for entry, llm in zip(llms, rows, strict=True):
            self._check(entry, llm)
        self._stop_if_wrong()
        named = [entry.name for entry in llms]
        others = list(LanguageModel.objects.exclude(slug__in=named).order_by("slug").values_list("slug", flat=True))
        return Applied(_merged(changes), rows, others)

    def _stop_if_wrong(self) -> None:
        if self.problems:
            raise BadFile(self.problems)

    def _endpoint(self, entry: Entry) -> Change | None:
        row = Endpoint.objects.filter(name=entry.name).first() or Endpoint(name=entry.name)
        is_new, old_address = row.pk is None, row.base_url
        values = {name: value for name, value in entry.values.items() if name not in {KEY, "name"}}
        fields = _set(row, values)
        self._clean(entry, row)
        # What people write is brought into one form: only then it can be compared.
        fields = [field._replace(new=getattr(row, field.name)) for field in fields]
        fields = [field for field in fields if is_new or field.old != field.new]
        fields += self._key(entry, row, moved=not is_new and row.base_url != old_address)
        if (is_new or fields) and not self.problems:
            row.save()
            refusals.forget(row.llms.all())
        return Change("endpoint", entry.name, is_new, tuple(fields)) if is_new or fields else None

    def _key(self, entry: Entry, row: Endpoint, *, moved: bool) -> list[FieldChange]:
        """A key belongs to the server that it was given for: an address that changes needs it anew."""
        variable = entry.values.get(KEY)
        if variable is None:
            if (KEY in entry.values or moved) and row.sealed_key:
                if KEY not in entry.values:
                    words = _("The address changes: name the variable with the new server's key, or write null.")
                    self._complain(entry, "base_url", words)
                row.sealed_key = ""
                return [FieldChange("key", _("set"), _("none"))]
            return []
        if not KEY_NAME.fullmatch(variable) or variable in OWN_SECRETS:
            words = _("%(name)s is not a variable for the key of a server: give it a name of its own.")
            self._complain(entry, KEY, words % {"name": variable})
            return []
        key = self._environment.get(variable, "").strip()
        if not key:
            if not row.sealed_key or moved:
                words = _("The variable %(name)s is not set: set it to the server's key, or write null here.")
                self._complain(entry, KEY, words % {"name": variable})
            return []
        if not is_key(key):
            words = _("A key has neither blanks nor letters of other alphabets. Copy it again.")
            self._complain(entry, KEY, words)
            return []
        before = _readable_key(row)
        row.sealed_key = row.sealed_key if before == key else seal(key)
        return [] if before == key else [FieldChange("key", _("set") if before else _("none"), _("set"))]

    def _model(self, entry: Entry, changes: list[Change | None]) -> LanguageModel:
        """Without its parent, which may come later in the file."""
        row = LanguageModel.objects.filter(slug=entry.name).first() or LanguageModel(slug=entry.name)
        is_new = row.pk is None
        values = {name: value for name, value in entry.values.items() if name not in {"slug", "parent", "endpoint"}}
        fields = _set(row, values)
        fields += self._at(entry, row)
        self._clean(entry, row)
        if identification.DECIDES_THE_WEIGHTS & {field.name for field in fields}:
            identification.forget(row)
        if not self.problems and (is_new or fields):
            row.save()
            refusals.forget(LanguageModel.objects.filter(pk=row.pk))
        if is_new or fields:
            changes.append(Change("model", entry.name, is_new, tuple(fields)))
        return row

    def _at(self, entry: Entry, row: LanguageModel) -> list[FieldChange]:
        if "endpoint" not in entry.values:
            return []
        old, new = row.endpoint.name if row.endpoint else None, entry.values["endpoint"]
        row.endpoint = Endpoint.objects.filter(name=new).first() if new else None
        if new and row.endpoint is None:
            words = _("No endpoint is called %(name)s: add it under “endpoints”, or mend the name.")
            self._complain(entry, "endpoint", words % {"name": new})
        return [] if old == new else [FieldChange("endpoint", old, new)]

    def _set_parents(self, llms: list[Entry], rows: list[LanguageModel], changes: list[Change | None]) -> None:
        """All of them first; only then it can be told whether they go round in circles."""
        for entry, llm in zip(llms, rows, strict=True):
            if "parent" not in entry.values:
                continue
            old, new = llm.parent.slug if llm.parent else None, entry.values["parent"]
            parent = LanguageModel.objects.filter(slug=new).first() if new else None
            if new and parent is None:
                words = _("No model has the slug %(slug)s: register it first, or mend the slug.")
                self._complain(entry, "parent", words % {"slug": new})
            elif old != new:
                llm.parent = parent
                llm.save(update_fields=["parent"])
                changes.append(Change("model", entry.name, False, (FieldChange("parent", old, new),)))

    def _check(self, entry: Entry, llm: LanguageModel) -> None:
        """The same checks as on the page, on the row as it will be."""
        llm.refresh_from_db()
        self._clean(entry, llm)
        if llm.status == LanguageModel.Status.ENABLED:
            for problem in registration.problems(llm):
                self._complain(entry, "source", problem)

    def _clean(self, entry: Entry, row: Endpoint | LanguageModel) -> None:
        try:
            row.full_clean()
        except ValidationError as error:
            for name, sentences in error.message_dict.items():
                for words in sentences:
                    self._complain(entry, name, words)

    def _complain(self, entry: Entry, field: str, words: str) -> None:
        place = f"{field}: " if field in entry.lines else ""
        self.problems.append(Problem(entry.lines.get(field, entry.line), f"{entry.name}: {place}{words}"))


def _set(row: Endpoint | LanguageModel, values: Mapping[str, Any]) -> list[FieldChange]:
    """Takes the values over; returns those that differ, or all for a new row."""
    changes = []
    for name, value in values.items():
        old = getattr(row, name) if row.pk is not None else None
        if row.pk is None or old != value:
            changes.append(FieldChange(name, old, value))
        setattr(row, name, value)
    return changes


def _merged(changes: list[Change | None]) -> list[Change]:
    """One change a row."""
    by_row: dict[tuple[str, str], Change] = {}
    for change in changes:
        if change is not None:
            first = by_row.get(change[:2])
            by_row[change[:2]] = first._replace(fields=first.fields + change.fields) if first else change
    return list(by_row.values())


def _readable_key(endpoint: Endpoint) -> str:
    try:
        return unseal(endpoint.sealed_key)
    except WrongKey:
        return ""  # whatever it was, it is replaced


# --- out ---------------------------------------------------------------------------------------------------------


def export() -> str:
    """Everything that `apply` takes, in a fixed order: the same registry always gives the same bytes."""
    endpoints = list(Endpoint.objects.order_by("name"))
    names = _key_names(endpoints)
    llms = LanguageModel.objects.select_related("endpoint", "parent").order_by("slug")
    content = {
        "endpoints": [
            {"name": row.name, "base_url": row.base_url, KEY: names[row.pk], "max_concurrent": row.max_concurrent}
            for row in endpoints
        ],
        "models": [_exported(llm) for llm in llms],
    }
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    return HEADER + text


def _exported(llm: LanguageModel) -> dict[str, Any]:
    related = {
        "endpoint": llm.endpoint.name if llm.endpoint else None,
        "parent": llm.parent.slug if llm.parent else None,
    }
    return {name: related[name] if name in related else _sorted(getattr(llm, name)) for name in MODEL_FIELDS}


def _sorted(value: Any) -> Any:
    """Some databases give an object's names back in another order."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _key_names(endpoints: list[Endpoint]) -> dict[int, str | None]:
    """A variable for each key, after the name of its endpoint."""
    names: dict[int, str | None] = {}
    for row in endpoints:
        names[row.pk] = next(_free(row.name, set(names.values()))) if row.sealed_key else None
    return names


def _free(name: str, taken: set[str | None]) -> Iterator[str]:
    base = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "SERVER"
    base = f"{base if base[0].isalpha() else f'SERVER_{base}'}_API_KEY"
    number = 1
    while True:
        candidate = base if number == 1 else f"{base}_{number}"
        if candidate not in taken:
            yield candidate
        number += 1
