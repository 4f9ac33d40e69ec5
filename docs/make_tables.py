"""The tables of options of these pages, from the signatures: `make docs` runs this; --check only compares."""

import sys
from collections.abc import Iterable
from pathlib import Path

from convscope.attribution.method import method_class
from convscope.attribution.table import METHODS
from convscope.options import NEEDED, Field, fields_of
from convscope.render.style import Style
from convscope.verbs.calls import function_of
from convscope.verbs.table import VERBS

PAGE = Path(__file__).parent / "options.md"
HEAD = """# All options

What each verb and each attribution method takes, in Python and on the command line (there with two dashes, and a dash
for `_`). Written by `docs/make_tables.py` from the signatures.
"""


PICTURES = """## Pictures

For `result.image`, `result.save` and every command that writes a picture; there `--no-title`, and `--picture-scale`
where the verb has a `scale` of its own. `columns` is refused where rows mean something, all of them for `.npz` and
`.html`.
"""


def _shown(field: Field) -> str:
    """What a field takes, in words."""
    if field.picture:
        return "picture" if field.picture == "one" else "pictures"
    if field.choices:
        return ", ".join(f"`{word}`" for word in field.choices)
    if field.numbers:
        return "whole numbers"
    plain = {bool: "yes or no", int: "whole number", float: "number", str: "text"}
    words = [word for kind, word in plain.items() if kind in field.members]
    about = field.about
    if about.least is not None and about.most is not None and words:
        return f"{words[0]} from {about.least:g} to {about.most:g}"
    return " or ".join(words) or "value"


def _default(field: Field) -> str:
    if field.about.unset:
        return field.about.unset
    if field.default is NEEDED:
        return "has to be given"
    return "" if field.default is None else f"`{field.default}`"


def _table(fields: Iterable[Field]) -> str:
    rows = ["| option | meaning | takes | unless given |", "| --- | --- | --- | --- |"]
    rows += [f"| `{one.name}` | {one.about.text} | {_shown(one)} | {_default(one)} |" for one in fields]
    return "\n".join(row.replace("\n", " ") for row in rows)


def text() -> str:
    """The page."""
    parts = [HEAD, "## Verbs\n"]
    for name, verb in VERBS.items():
        fields = fields_of(function_of(name))
        if fields:
            parts.append(f"### {name}\n\n{verb.summary}\n\n{_table(fields.values())}\n")
    parts.append(f"{PICTURES}\n{_table(fields_of(Style).values())}\n")
    parts.append("## Attribution methods\n\nFor `explain`, `compare`, `hybrid` and `assess`.\n")
    for method in map(method_class, METHODS):
        call = f"`cs.{method.__name__}(...)`, `--method {method.name}`"
        options = method.options()
        parts.append(
            f"### {method.title}\n\n{call}: {method.about}.\n" + (f"\n{_table(options.values())}\n" if options else "")
        )
    return "\n".join(parts)


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(text(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text():
        sys.exit(f"{PAGE} is not what the signatures say: run python docs/make_tables.py")
