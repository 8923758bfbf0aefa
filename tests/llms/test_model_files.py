"""`models.yaml`: read strictly, applied whole or not at all, written back byte for byte."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from llms import model_files
from llms.model_files import BadFile, apply
from llms.models import Endpoint, LanguageModel
from llms.sealing import seal, unseal

pytestmark = pytest.mark.django_db

FILE = """
endpoints:
  - name: lab
    base_url: 127.0.0.1:8000
    api_key_env: LAB_API_KEY
    max_concurrent: 4
models:
  - slug: orion-7b-chat
    name: Orion 7B Chat
    parent: orion-7b
    engine: openai_compatible
    endpoint: lab
    source: orion
    decoding: {temperature: 0.5, stop: ["###"]}
    aliases: [Orion]
    status: enabled
  - slug: orion-7b
    name: Orion 7B
    organisation: Northlab
    parameters: 7000000000
    engine: echo
    options:
      reply: Hello
"""
KEYS = {"LAB_API_KEY": "sk-secret"}


def lines_of(error):
    return [(problem.line, problem.words) for problem in error.value.problems]


def refuse(text, environment=KEYS):
    with pytest.raises(BadFile) as error:
        apply(text, environment)
    assert not LanguageModel.objects.exists()
    assert not Endpoint.objects.exists()
    return lines_of(error)


def test_it_registers_what_the_file_names():
    applied = apply(FILE, KEYS)
    assert [(change.kind, change.name, change.is_new) for change in applied.changes] == [
        ("endpoint", "lab", True),
        ("model", "orion-7b-chat", True),
        ("model", "orion-7b", True),
    ]
    chat = LanguageModel.objects.get(slug="orion-7b-chat")
    assert (chat.endpoint.base_url, chat.endpoint.max_concurrent) == ("http://127.0.0.1:8000/v1", 4)
    assert unseal(chat.endpoint.sealed_key) == "sk-secret"
    assert (chat.parent.slug, chat.status, chat.sampling().stop) == ("orion-7b", "enabled", ("###",))
    assert LanguageModel.objects.get(slug="orion-7b").status == "disabled"


def test_the_second_run_has_nothing_to_do():
    apply(FILE, KEYS)
    assert apply(FILE, KEYS).changes == []


def test_a_change_is_told_field_by_field():
    apply(FILE, KEYS)
    (change,) = apply(
        FILE.replace("temperature: 0.5", "temperature: 0.9").replace("Orion 7B Chat", "Orion"), KEYS
    ).changes
    assert [(field.name, field.old, field.new) for field in change.fields] == [
        ("name", "Orion 7B Chat", "Orion"),
        ("decoding", {"temperature": 0.5, "stop": ["###"]}, {"temperature": 0.9, "stop": ["###"]}),
    ]


def test_what_the_file_does_not_name_stays():
    apply(FILE, KEYS)
    LanguageModel.objects.filter(slug="orion-7b").update(battle_weight=3, licence="MIT")
    LanguageModel.objects.create(slug="lyra", name="Lyra", engine="echo")
    applied = apply(FILE, KEYS)
    assert (applied.changes, applied.others) == ([], ["lyra"])
    orion = LanguageModel.objects.get(slug="orion-7b")
    assert (orion.battle_weight, orion.licence) == (3, "MIT")


def test_a_dry_run_tells_all_and_changes_nothing():
    assert len(apply(FILE, KEYS, dry_run=True).changes) == 3
    assert not LanguageModel.objects.exists()
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize(
    ("before", "after", "at", "words"),
    [
        ("source: orion", "sauce: orion", "sauce", "sauce is not known here; known are slug"),
        ("parameters: 7000000000", "parameters: many", "many", "parameters must be a whole number or null."),
        ("parameters: 7000000000", "parameters: 99999999999999999999", "9999", "parameters must be"),
        ("name: Orion 7B Chat", "name: 7", "name: 7", "name must be text"),
        ("name: Orion 7B Chat", "name: yes", "yes", "name must be text"),
        ("name: Orion 7B Chat", 'name: "a\\0b"', "0b", "name must be text"),
        ("name: Orion 7B Chat", "name: Orion\n    name: Lyra", "Lyra", "name stands twice, first on line 9"),
        ("name: Orion 7B Chat", "name: &a Orion", "&a", "Anchors"),
        ("name: Orion 7B Chat", "name: !!python/object:os.system x", "!!", "Tags such as"),
        ("name: Orion 7B Chat", 'name: "Orion" 7B', '"Orion"', "This is not valid YAML"),
        ("aliases: [Orion]", "aliases: Orion", "aliases", "aliases must be a list of texts."),
        ("options:\n      reply: Hello", "options: []", "options", "options must be names with values"),
        ("options:\n      reply: Hello", "options: {since: 2026-01-01}", "since", "options must be"),
        ("temperature: 0.5", "temperature: .nan", ".nan", "decoding must be"),
        ("temperature: 0.5", "temperature: 9", "temperature", "decoding: Option temperature must lie between 0 and 5"),
        (
            "slug: orion-7b\n",
            "slug: orion-7b-chat\n",
            "  - slug: orion-7b-chat\n    name: Orion 7B\n",
            "first on line 8",
        ),
        ("endpoint: lab", "endpoint: lob", "lob", "No endpoint is called lob"),
        ("parent: orion-7b", "parent: orion", "parent", "No model has the slug orion"),
        ("parent: orion-7b", "parent: orion-7b-chat", "parent", "A model cannot be made from itself."),
        ("status: enabled", "status: on", "status", "status must be text"),
        ("status: enabled", "status: open", "status", "is not a valid choice"),
        ("    source: orion\n", "", "slug: orion-7b-chat", "The source must be the model's name at its endpoint."),
        ("base_url: 127.0.0.1:8000", "base_url: ftp://lab", "ftp", "base_url: "),
        ("endpoints:", "servers:", "- name: lab", "servers is not known here; known are endpoints, models."),
        ("api_key_env: LAB_API_KEY", "api_key_env: SECRET_KEY", "SECRET_KEY", "give it a name of its own"),
        ("api_key_env: LAB_API_KEY", "api_key_env: OTHER", "OTHER", "The variable OTHER is not set"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_nothing_is_written(before, after, at, words):
    assert before in FILE
    text = FILE.replace(before, after, 1)
    line = text[: text.index(at)].count("\n") + 1
    found = refuse(text)
    assert [(where, said) for where, said in found if where == line and words in said], found


def test_everything_that_is_wrong_is_said_at_once():
    found = refuse(FILE.replace("parameters: 7000000000", "parameters: x").replace("aliases: [Orion]", "aliases: 1"))
    assert [words.split()[0] for _, words in found] == ["aliases", "parameters"]


def test_circles_among_new_models():
    text = """
models:
  - {slug: a, name: A, engine: echo, parent: b}
  - {slug: b, name: B, engine: echo, parent: a}
"""
    assert [line for line, _ in refuse(text)] == [3, 4]


def test_a_line_of_descent_may_be_turned_round():
    """Checked one by one there would be a circle for a moment."""
    apply("models: [{slug: a, name: A, engine: echo, parent: b}, {slug: b, name: B, engine: echo}]", {})
    apply("models: [{slug: b, parent: a}, {slug: a, parent: null}]", {})
    assert LanguageModel.objects.get(slug="b").parent.slug == "a"
    assert LanguageModel.objects.get(slug="a").parent is None


@pytest.mark.parametrize("text", ["", "models:\n", "endpoints: []\nmodels: []\n", "# nothing\n"])
def test_an_empty_file_is_no_mistake(text):
    assert apply(text, {}).changes == []


@pytest.mark.parametrize("text", ["- a", "5", "models: 5", "models: [5]", "models: [{name: A}]", "a: 1\n---\nb: 2"])
def test_another_shape_is_refused(text):
    assert refuse(text)


def test_a_bomb_is_refused_before_it_is_built():
    refuse("[" * 100_000)
    refuse("models: [" * 3_000)
    refuse("a" * 2_000_000)
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{n}: &{n} [*{p},*{p},*{p}]\n" for p, n in zip("abcdefg", "bcdefgh", strict=True)
    )
    ((line, words),) = refuse(bomb)
    assert (line, words.startswith("Anchors")) == (1, True)


# --- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["sk-se\ncret", "sk-se cret", "sk-şifre"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key):
    ((line, words),) = refuse(FILE, {"LAB_API_KEY": key})
    assert "api_key_env: A key has neither blanks nor letters" in words
    assert "sk-" not in words
    assert FILE.splitlines()[line - 1].strip() == "api_key_env: LAB_API_KEY"
    assert not Endpoint.objects.exists()


def test_a_key_that_is_known_need_not_be_set_again():
    apply(FILE, KEYS)
    assert apply(FILE, {}).changes == []
    assert unseal(Endpoint.objects.get().sealed_key) == "sk-secret"


def test_another_key_is_taken_over_and_never_shown():
    apply(FILE, KEYS)
    (change,) = apply(FILE, {"LAB_API_KEY": "sk-other"}).changes
    assert "sk-" not in repr(change)
    assert unseal(Endpoint.objects.get().sealed_key) == "sk-other"


def test_null_forgets_the_key():
    apply(FILE, KEYS)
    apply(FILE.replace("api_key_env: LAB_API_KEY", "api_key_env: null"), {})
    assert Endpoint.objects.get().sealed_key == ""


def test_a_key_does_not_move_to_another_server():
    apply(FILE, KEYS)
    moved = FILE.replace("127.0.0.1:8000", "127.0.0.1:9000")
    for text in (moved, moved.replace("    api_key_env: LAB_API_KEY\n", "")):
        with pytest.raises(BadFile):
            apply(text, {})
    endpoint = Endpoint.objects.get()
    assert (endpoint.base_url, unseal(endpoint.sealed_key)) == ("http://127.0.0.1:8000/v1", "sk-secret")


@pytest.mark.parametrize("variable", ["METRICS_TOKEN", "HF_TOKEN", "DATABASE_URL"])
def test_the_servers_own_secrets_are_sent_to_nobody(variable):
    found = refuse(FILE.replace("LAB_API_KEY", variable), {variable: "sk-own"})
    assert any("give it a name of its own" in words for _, words in found)


# --- what was known of the rows ----------------------------------------------------------------------------------


@pytest.fixture
def known():
    """The models of the file, refused by their servers, of known weights that once were others."""
    apply(FILE, KEYS)
    LanguageModel.objects.update(
        weights_identity="commit 01", former_identity="commit 00", identity_changed_at=Now(), n_refusals=3
    )
    return {
        llm.slug: (llm.n_refusals, llm.weights_identity, llm.former_identity, llm.identity_changed_at)
        for llm in LanguageModel.objects.all()
    }


def now_known(slug):
    llm = LanguageModel.objects.get(slug=slug)
    return (llm.n_refusals, llm.weights_identity, llm.former_identity, llm.identity_changed_at)


@pytest.mark.parametrize(
    ("before", "after"),
    [("source: orion", "source: lyra"), ("source: orion", "source: orion\n    options: {max_context: 512}")],
)
def test_another_source_is_neither_refused_nor_identified_yet(known, before, after):
    apply(FILE.replace(before, after), KEYS)
    assert now_known("orion-7b-chat") == (0, "", "", None)
    assert now_known("orion-7b") == known["orion-7b"]


def test_other_words_about_it_leave_the_weights_as_they_are(known):
    apply(FILE.replace("Orion 7B Chat", "Orion"), KEYS)
    assert now_known("orion-7b-chat") == (0, *known["orion-7b-chat"][1:])


@pytest.mark.parametrize(
    ("text", "keys"), [(FILE.replace(":8000", ":9000"), KEYS), (FILE, {"LAB_API_KEY": "sk-other"})]
)
def test_at_another_address_or_with_another_key_its_models_are_not_refused_yet(known, text, keys):
    apply(text, keys)
    assert now_known("orion-7b-chat") == (0, *known["orion-7b-chat"][1:])
    assert now_known("orion-7b") == known["orion-7b"]


def test_a_file_that_changes_nothing_lets_nobody_be_drawn_again(known):
    apply(FILE, KEYS)
    assert {slug: now_known(slug) for slug in known} == known


# --- out and in again --------------------------------------------------------------------------------------------


def test_what_is_exported_comes_back_byte_for_byte():
    apply(FILE, KEYS)
    Endpoint.objects.create(name="Lab!", base_url="http://127.0.0.1:8009/v1", sealed_key=seal("another"))
    Endpoint.objects.create(name="127.0.0.1:8000", base_url="http://127.0.0.1:8008/v1", sealed_key=seal("third"))
    LanguageModel.objects.create(
        slug="pavo",
        name="Pavo “3B” İğü #: - {x}\n",
        engine="echo",
        system_prompt="Line one.\n  Line: two # no comment\n\n",
        options={"reply": "a: b", "delay": 0.5, "chunk_size": 3},
        decoding={"stop": ["\n", " x "], "temperature": 0},
        battle_weight=0.25,
        visibility="internal",
        status="retired",
        revision="1e5",
    )
    LanguageModel.objects.create(slug="old", name="Old", engine="huggingface", status="listed", stage="merged")
    text = model_files.export()
    before = _rows()
    LanguageModel.objects.all().delete()
    Endpoint.objects.all().delete()
    keys = {"LAB_API_KEY": "another", "LAB_API_KEY_2": "sk-secret", "SERVER_127_0_0_1_8000_API_KEY": "third"}
    assert apply(text, keys).others == []
    assert model_files.export() == text
    assert _rows() == before
    assert apply(text, keys).changes == []
    assert "sk-secret" not in text


def _rows():
    skipped = {"id", "created_at", "parent_id", "endpoint_id", "sealed_key"}
    return [
        {key: value for key, value in row.items() if key not in skipped}
        for kind in (Endpoint, LanguageModel)
        for row in kind.objects.order_by("name").values()
    ]


# --- the commands ------------------------------------------------------------------------------------------------


def run(name, *arguments):
    out = io.StringIO()
    call_command(name, *arguments, stdout=out, no_color=True)
    return out.getvalue()


def test_the_commands_write_read_and_tell(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", "sk-secret")
    path = tmp_path / "models.yaml"
    path.write_text(FILE)
    dry = run("register", "-f", str(path), "--dry-run")
    assert "+ model orion-7b-chat" in dry
    assert "3 would change. Nothing was changed: this was a dry run." in dry
    assert not LanguageModel.objects.exists()
    assert "3 changed." in run("register", "-f", str(path))
    assert run("register", "-f", str(path)) == "Nothing to do: everything is as the file says.\n"
    path.write_text(FILE.replace("Northlab", "Southlab"))
    assert "    organisation: 'Northlab' → 'Southlab'\n" in run("register", "-f", str(path), "--dry-run")
    LanguageModel.objects.create(slug="lyra", name="Lyra", engine="echo")
    assert "Not in the file, and left alone: lyra." in run("register", "-f", str(path), "--others")
    written = tmp_path / "out.yaml"
    run("export_models", "-f", str(written))
    assert written.read_text() == run("export_models") == model_files.export()
    assert "Nothing to do" in run("register", "-f", str(written))


def test_a_bad_file_ends_the_command_with_the_lines(tmp_path):
    path = tmp_path / "models.yaml"
    path.write_text("models:\n  - slug: a\n    nam: A\n")
    with pytest.raises(CommandError) as error:
        run("register", "-f", str(path))
    assert str(error.value).startswith(f"{path}:3: nam is not known here")
    assert str(error.value).endswith("Nothing was changed.")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff", b"x" * 5_000_000])
def test_a_file_that_cannot_be_read_is_said(content, tmp_path):
    path = tmp_path / "models.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=str(path)):
        run("register", "-f", str(path))
