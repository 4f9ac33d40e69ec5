"""Objectives as text, for the command line and for recipes: `0.8*mixed4a:20 + class:zebra - 0.1*tv()`.

    layer:3            channel 3                    class:zebra, class:340    logit of a class
    layer:3@4,5        one neuron (row, column)     p:zebra                   probability of a class
    layer              the whole layer, squared     tv(), lp(6), l2sq()       penalties on the picture
    direction(layer, 0.5, -1, ...)                  2*term + term - term      sums; a space on each side of + and -

The text form is the JSON form of an objective too: parse_target(objective.text()) == objective.
"""

import operator
import re

from convscope.errors import InputError, TargetError
from convscope.objectives.expression import Objective
from convscope.objectives.penalties import Lp, SquaredL2, TotalVariation
from convscope.objectives.units import Channel, Direction, LayerL2, Logit, Neuron, Probability

# No two neighbours in these patterns can take the same letters: long text would cost its square.
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_WEIGHTED = re.compile(rf"({_NUMBER})\s*\*\s*")
_UNIT = re.compile(r"(.+):([0-9]{1,9})(?:@([0-9]{1,9}),([0-9]{1,9}))?", re.DOTALL)
_RANGE = "[0-9]{1,9}(?:-[0-9]{1,9})?"
_SEVERAL = re.compile(rf"([^\s*]+):({_RANGE}(?:,{_RANGE})*)")
_VECTOR = re.compile(r'("(?:[^"\\]|\\.)*"\s*|[^,"]+),(.*)', re.DOTALL)
_CALL = re.compile(r"(tv|l2sq|lp|l(?=\d)|direction)\s*(?:(\d+)\s*)?\((.*)\)", re.DOTALL)
MOST_CHANNELS = 4096
MOST_LETTERS = 1_000_000
"""Of a target: a direction over some thousand channels is that long."""
MOST_TERMS = 1000
EXPECTED = "expected layer:channel, layer:channel@y,x, layer, class:NAME or p:NAME, or a sum of these"


def parse_target(text: str) -> Objective:
    """The objective that a text means. Raises TargetError; whether its names exist is seen when it is bound."""
    total: Objective | None = None
    _check_length(text)
    try:
        for sign, words in _split(text):
            term = _term(words, text)
            signed = -term if sign == "-" else term
            total = signed if total is None else total + signed
    except TargetError:
        raise
    except InputError as error:
        raise TargetError(f"the target {_shown(text)} cannot be used: {error}") from None
    if total is None:
        raise TargetError(f"the target is empty; {EXPECTED}")
    return total


def parse_targets(text: str) -> list[Objective]:
    """One target, or several channels of a layer: `layer:0-15`, `layer:3,7,40-43`."""
    _check_length(text)
    text = text.strip()
    several = _SEVERAL.fullmatch(text)
    if not several or text.startswith(("class:", "p:")):
        return [parse_target(text)]
    result: list[Objective] = []
    for part in several[2].split(","):
        first, _, last = part.partition("-")
        if int(last or first) < int(first):
            raise TargetError(f"the channels {part!r} in {text!r} go backwards; expected low-high")
        if int(last or first) - int(first) >= MOST_CHANNELS:
            raise TargetError(f"the channels {part!r} in {text!r} are too many; expected at most {MOST_CHANNELS}")
        if len(result) + int(last or first) - int(first) >= MOST_CHANNELS:
            raise TargetError(f"the channels in {_shown(text)} are too many; expected at most {MOST_CHANNELS}")
        result += [Channel(_unquoted(several[1]), channel) for channel in range(int(first), int(last or first) + 1)]
    return result


def _check_length(text: str) -> None:
    """Raises TargetError for a target that is too long."""
    if len(text) > MOST_LETTERS:
        raise TargetError(f"the target {_shown(text)} has {len(text)} letters; expected at most {MOST_LETTERS}")


def ensure_objective(target: Objective | str | int) -> Objective:
    """An objective from what a user gave: an expression, its text, or the number of a class."""
    if isinstance(target, Objective):
        return target
    if isinstance(target, str):
        return parse_target(target)
    if isinstance(target, bool) or not hasattr(target, "__index__"):
        raise TargetError(f"the target is of type {type(target).__name__}; {EXPECTED}")
    return Logit(operator.index(target))  # any kind of whole number, NumPy's too


def _split(text: str) -> list[tuple[str, str]]:
    """The signed terms of a sum; signs stand between spaces, outside quotes and parentheses."""
    terms: list[tuple[str, str]] = []
    sign, words, quoted, depth = "+", "", False, 0
    for piece in re.split(r"""(\\.|\s[+-]\s|["()])""", text, flags=re.DOTALL):
        if piece == '"':
            quoted = not quoted
        elif piece in ("(", ")") and not quoted:
            depth += 1 if piece == "(" else -1
        if not quoted and depth == 0 and re.fullmatch(r"\s[+-]\s", piece):
            terms.append((sign, words))
            if len(terms) >= MOST_TERMS:
                raise TargetError(f"the target {_shown(text)} has too many terms; expected at most {MOST_TERMS}")
            sign, words = piece.strip(), ""
        else:
            words += piece
        if depth < 0:
            break
    if quoted or depth:
        raise TargetError(
            f"the quotes or parentheses in the target {_shown(text)} are not balanced; put such a name in quotes, with "
            'a backslash before each quote in it: class:"5\\" nail"'
        )
    if words.strip() or terms:
        terms.append((sign, words))
    return terms


def _term(words: str, whole: str) -> Objective:
    words = words.strip()
    weights, begin = [], 0
    while (weighted := _WEIGHTED.match(words, begin)) and weighted.end() < len(words):
        weights.append(float(weighted[1]))
        begin = weighted.end()
    words = words[begin:]
    if not words:
        raise TargetError(f"the target {_shown(whole)} has an empty term; {EXPECTED}")
    objective = _unweighted(words)
    for weight in weights:
        objective = objective * weight
    return objective


def _unweighted(words: str) -> Objective:
    call = _CALL.fullmatch(words)
    if call:
        return _call(call[1], call[2] or "", call[3], words)
    for prefix, kind in (("class:", Logit), ("p:", Probability)):
        if words.startswith(prefix):
            return kind(_label(words.removeprefix(prefix), words))
    unit = _UNIT.fullmatch(words)
    name = _unquoted(unit[1] if unit else words)
    if unit and unit[3] is not None:
        return Neuron(name, int(unit[2]), int(unit[3]), int(unit[4]))
    if unit:
        return Channel(name, int(unit[2]))
    if name == words and re.search(r'[:@*"\s]', words):
        raise TargetError(f"the target {_shown(words)} cannot be understood; {EXPECTED}")
    return LayerL2(name)


def _shown(text: str, most: int = 120) -> str:
    """What a user wrote, for an error."""
    return repr(text if len(text) <= most else f"{text[:most]}…")


def _unquoted(text: str) -> str:
    """A name without its quotes, if it has any."""
    inside = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', text, flags=re.DOTALL)
    return re.sub(r"\\(.)", r"\1", inside[1], flags=re.DOTALL) if inside else text


_GLUED = re.compile(r"[+-]\s*(?:[\d.]+\s*\*|class:|p:|tv\(|lp\(|l2sq\()")


def _label(text: str, words: str) -> str | int:
    given = text.strip()
    if _GLUED.search(given) and not given.startswith('"'):
        raise TargetError(f"the target {_shown(words)} lacks spaces: put one on each side of + and -")
    if given in ("", '""'):
        raise TargetError(f"the target {_shown(words)} names no class; expected class:NAME or class:NUMBER")
    if re.fullmatch(r"[0-9]+", given):
        if len(given) > 9:
            raise TargetError(f"the class number in {_shown(words)} is too large; expected class:NAME or class:NUMBER")
        return int(given)
    return _unquoted(given)


def _call(name: str, digits: str, inside: str, words: str) -> Objective:
    parts = [part.strip() for part in inside.split(",")] if inside.strip() else []
    try:
        if name == "tv" and not parts and not digits:
            return TotalVariation()
        if name == "l2sq" and not parts and not digits:
            return SquaredL2()
        if name in ("lp", "l") and len(parts) + bool(digits) <= 1:
            return Lp(float(digits or (parts[0] if parts else 6)))
        vector = _VECTOR.fullmatch(inside.strip())
        if name == "direction" and vector:
            return Direction(_unquoted(vector[1].strip()), tuple(float(part) for part in vector[2].split(",")))
    except ValueError:
        pass
    raise TargetError(
        f"the term {_shown(words)} cannot be understood; expected tv(), lp(6), l2sq() or direction(layer, numbers)"
    )
