"""One room prints: nothing of what the command, its logs and its help say is markup or steers a terminal."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from typer.main import get_command

from tests.support.command import call
from tests.support.source_tree import modules
from triptych.cli import app
from triptych.cli.console import print_json, print_line, print_stream, print_table

PRINTERS = {
    "triptych.cli.console",
    "triptych.demo.__main__",
    "triptych.airflow.validation",  # JSON, for a process of ours that shows it by the first.
    "triptych.client.showing",  # For others' programs.
    "triptych.engines.previews.__main__",  # Answers a process of ours by a pipe, and what libraries print is no answer.
}
LOGGERS = {"triptych.harmless", "triptych.cli.progress"}
"""The first makes every module's logger, the second reads them all."""
STEERING = "\x1b]0;owned\x07\x9b2J\u202e\ud800"


def _uses(names: set[str]) -> Iterator[tuple[str, str]]:
    """(module, dotted name) for each such name that code of ours calls or reads."""
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in names:
                yield module.name, ast.unparse(node)


def test_only_the_console_prints() -> None:
    printing = {"print", "typer.echo", "typer.secho", "sys.stdout", "sys.stderr", "Console"}
    used = {module for module, _ in _uses(printing)}
    assert "triptych.cli.console" in used
    assert used - PRINTERS == set(), "Call what triptych.cli.console has."


def test_every_log_is_harmless() -> None:
    assert {module for module, _ in _uses({"logging.getLogger"})} == LOGGERS, "Call harmless_logger(__name__)."


def _commands(command: object, *names: str) -> Iterator[tuple[tuple[str, ...], object]]:
    inner: dict[str, object] = getattr(command, "commands", {})
    yield names, command
    for name, each in inner.items():
        yield from _commands(each, *names, name)


COMMANDS = list(_commands(get_command(app)))


@pytest.mark.parametrize(("names", "command"), [pytest.param(*each, id=" ".join(each[0])) for each in COMMANDS])
def test_help_says_what_the_code_says(names: tuple[str, ...], command: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    shown = "".join(call(*names, "--help").stdout.split())
    helps: list[str] = [each.help for each in getattr(command, "params", ()) if getattr(each, "help", None)]
    written = [*helps, getattr(command, "help", None) or "", getattr(command, "epilog", None) or ""]
    assert [text for text in written if "".join(text.split()) not in shown] == []


def test_no_markup_no_emoji_no_control(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = "name:date:desc [red]x[/red] [brackets] <run> `code` *b*"
    print_line(text)
    print_table(["column"], [[text]])
    print_json({"key": text})
    assert capsys.readouterr().out.count(text) == 3
    print_line(STEERING)
    print_table(["column"], [[STEERING]])
    print_json({STEERING: STEERING})
    print_stream([b"\x1b]0;owned\x07", "あ".encode()[:2], "あ".encode()[2:], b"\xff", b"\r\n"])
    shown = capsys.readouterr().out
    assert "\\x1b]0;owned\\x07\\x9b2J\\u202e\\ud800" in shown
    assert "\\x1b]0;owned\\x07あ\ufffd\\r\n" in shown
    assert [character for character in shown if not character.isprintable() and character != "\n"] == []


def test_a_row_in_a_pipe_is_a_line_however_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(["name", "reason"], [["readings.txt:1498", "x" * 300], ["second", "y"]])
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "reason"]
    assert first.split() == ["readings.txt:1498", "x" * 300]
    assert second.split() == ["second", "y"]
