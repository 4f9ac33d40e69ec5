"""How pictures are to be drawn, as the command line has it: theme, columns, scale, title."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from convscope.cli.telling import Outcome, told
from convscope.render.style import MOST_SCALE, PLAIN, Style, ThemeName
from convscope.results.result import Result
from convscope.results.styled import UNDRAWN, check_unstyled, no_tiles

PICTURE = ("theme", "columns", "picture_scale", "no_title")
"""What commands share that write pictures."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was said of how pictures are to be drawn."""

    theme: ThemeName | None = None
    columns: int | None = None
    picture_scale: float | None = None
    no_title: bool = False

    def style(self, usual: Style = PLAIN) -> Style:
        """How pictures are to be drawn. usual: where nothing was said. Raises InputError."""
        said = {"theme": self.theme, "columns": self.columns, "scale": self.picture_scale}
        given: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        return replace(usual, **given, title=usual.title and not self.no_title)

    @property
    def look(self) -> dict[str, Any]:
        """The same as options of `Result.save`."""
        return self.style().options

    def check_look(self, kind: type[Result] | None, file: Path | None) -> None:
        """Raises InputError, before any work, where results of a kind, or a file, cannot be drawn as was asked for."""
        style = self.style()
        if style.columns is not None and kind is not None and not kind.in_tiles:
            raise no_tiles(kind.kind)
        if file is not None and file.suffix.lower() in UNDRAWN:
            check_unstyled(file.suffix.lower(), style)

    def saved(self, result: Result, file: Path) -> Outcome:
        """A result written to a file, drawn as was asked for, and what it says in short."""
        return told(result.summary(), [result.save(file, **self.look)], result.notes)


def _option(help: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="The picture", **more)


def _scale(*names: str) -> Any:
    help = "How many times as large; words stay sharp."
    return Annotated[float | None, _option(help, *names, min=0.01, max=MOST_SCALE)]


OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "theme": (Annotated[ThemeName | None, _option("Its paper. \\[default: dark]")], None),
    "columns": (Annotated[int | None, _option("Of a sheet of tiles, how many stand in a row.", min=1)], None),
    "picture_scale": (_scale("--scale", "--picture-scale"), None),
    "no_title": (Annotated[bool, _option("Without title and subtitle.", "--no-title")], False),
}
"""The options by name, each with its type for typer and its default."""
OTHERWISE: tuple[Any, Any] = (_scale("--picture-scale"), None)
"""`picture_scale` of a verb whose own option is called scale, and means another thing."""
