"""What is printed is what was given: names that look like markup or emoji codes, in lines, tables, bars and errors."""

import ast
import io
from pathlib import Path

import pytest
from rich._emoji_codes import EMOJI
from rich.table import Table
from typer.testing import CliRunner, Result

import convscope as cs
from convscope.cli import commands, telling
from convscope.cli.command import Common
from convscope.cli.main import SUMMARIES, app
from convscope.cli.progress import Watcher
from convscope.cli.telling import Outcome
from convscope.errors import InputError
from convscope.progress import Progress
from convscope.verbs.table import VERBS
from tests.networks import CLASSES, SPEC, Plain, seeded

ODD = ["[bold]art[/bold]", "[/]", "[red]", "a [link=x]b", ":100:", ":smiley:", "layer:100: 0.5", "conv:1234:", "\\[x]"]


def printed(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> str:
    telling.carry_out(lambda: outcome, as_json=False, debug=False)
    told = capsys.readouterr()
    return told.out + told.err


def table_of(words: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, title=words[0], caption=words[0])
    table.add_column(words[0], no_wrap=True)
    for word in words:
        table.add_row(word)
    return table


@pytest.mark.parametrize("word", ODD)
def test_a_name_is_printed_as_it_is(word: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert printed(Outcome(shown=[word]), capsys) == f"{word}\n"
    assert printed(Outcome([tmp_path / word.replace("/", "|")]), capsys) == f"{tmp_path / word.replace('/', '|')}\n"
    assert printed(Outcome(notes=[word]), capsys) == f"note: {word}\n"
    shown = printed(Outcome(shown=[table_of([word] * 2)]), capsys)
    assert shown.count(word) == 5, "title, head, two rows, caption"


def test_no_emoji_code_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"block4_conv1:{code}: 0.008" for code in EMOJI]
    assert len(lines) > 3000
    assert printed(Outcome(shown=lines), capsys).splitlines() == lines


@pytest.mark.parametrize("word", ODD)
def test_a_bar_and_an_error_say_a_name_as_it_is(
    word: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal
    monkeypatch.setenv("COLUMNS", "200")
    with Watcher() as watch:
        screen = io.StringIO()
        watch._console.file = screen
        watch(Progress(word, 1, 10, word))
    assert screen.getvalue().count(word) >= 2

    def fails() -> Outcome:
        raise InputError(word)

    with pytest.raises(telling.typer.Exit):
        telling.carry_out(fails, as_json=False, debug=False)
    assert capsys.readouterr().err.endswith(f"error: {word}\n")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_channel_100_is_no_emoji(tmp_path: Path) -> None:
    done = run("visualize", "blocks.2.expand:100", "--steps", "1", "--size", "64", "--out", tmp_path / "a.png")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("blocks.2.expand:100: ")


def test_labels_are_printed_as_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photograph: str) -> None:
    labels = [*ODD, *map(str, range(CLASSES))][:CLASSES]
    net = cs.load_model(seeded(Plain), input=SPEC, labels=labels)
    monkeypatch.setattr(Common, "load", lambda _: net)
    guess = net.predict(photograph)[0][0].label
    assert guess in run("explain", photograph, "--out", tmp_path / "a.png").stdout
    for label in labels:
        asked = run("visualize", f"class:{labels.index(label)}", "--steps", "1", "--out", tmp_path / "b.png")
        assert asked.stdout.startswith(f"{label}: "), asked.output


@pytest.mark.parametrize("name", SUMMARIES)
def test_help_shows_its_examples_as_they_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    shown = run(name, "--help").output
    file = Path(commands.__file__ or "").parent / f"{name}.py"
    tree = ast.parse(file.read_text(encoding="utf-8") if file.is_file() else "")
    given = [one.value for one in ast.walk(tree) if isinstance(one, ast.keyword) and one.arg == "examples"]
    examples = ast.literal_eval(given[0]) if given else VERBS[name].examples
    assert examples
    for example in examples:
        assert example in shown


def test_of_many_files_it_is_said_how_many_are_not_named(capsys: pytest.CaptureFixture[str]) -> None:
    files = [f"{i}.png" for i in range(9)]
    assert printed(Outcome(files), capsys).splitlines() == ["0.png", "1.png", "2.png", "... and 5 more, to", "8.png"]
    assert printed(Outcome(files[:6]), capsys).splitlines() == files[:6]
