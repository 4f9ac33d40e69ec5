"""Facts of a result: typed in Python, plain JSON in files, and readable as a mapping."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, TypeVar, get_type_hints

from convscope.plain import has_form, shown

F = TypeVar("F", bound="Facts")


@dataclass(frozen=True, kw_only=True, eq=False)
class Facts(Mapping[str, Any]):
    """What else was found, beside the arrays. A subclass has a field for each fact; None is a fact that is not there.

    As a mapping it has the facts that are there by name. more: facts that the class has no field for, such as those of
    a method of one's own.
    """

    named: ClassVar[Mapping[str, str]] = {}
    """The names in files of fields that cannot have them in Python."""
    was: ClassVar[Mapping[str, str]] = {}
    """The fields that facts of older files go into."""

    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls: type[F], values: Mapping[str, Any]) -> F:
        """The facts from a mapping, such as a file holds."""
        if isinstance(values, cls):
            return values
        own = {one.name for one in fields(cls)} - {"more"}
        told = {cls._field(name): value for name, value in values.items()}
        known = {name: value for name, value in told.items() if name in own}
        facts = cls(**known, more={name: value for name, value in told.items() if name not in own})
        object.__setattr__(facts, "_given", frozenset(known))
        return facts

    @classmethod
    def misfit(cls, values: Mapping[str, Any]) -> str | None:
        """The first of a file's facts that does not have the form of its field, and its value; None where all do."""
        kinds = get_type_hints(cls)
        for name, value in values.items():
            kind = kinds.get(cls._field(name), Any)
            if not has_form(value, kind):
                return f"{name!r} is {shown(value)}"
        return None

    @classmethod
    def _field(cls, name: str) -> str:
        back = {was: one for one, was in cls.named.items()} | dict(cls.was)
        return back.get(name, name)

    def to_dict(self) -> dict[str, Any]:
        """The facts that are there, as plain JSON: those that were given, and those that are not the usual ones."""
        given: frozenset[str] = getattr(self, "_given", frozenset())
        own: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            usual = one.default_factory() if one.default_factory is not MISSING else one.default
            if one.name != "more" and value is not None and (one.name in given or value != usual):
                own[self.named.get(one.name, one.name)] = list(value) if isinstance(value, tuple) else value
        return own | dict(self.more)

    def __getitem__(self, name: str) -> Any:
        return self.to_dict()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def __len__(self) -> int:
        return len(self.to_dict())


@dataclass(frozen=True)
class Summary:
    """What a result says in short. data: for programs, plain JSON. lines: for people. columns, rows: a table for
    people, where there is one."""

    data: Mapping[str, Any]
    lines: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
