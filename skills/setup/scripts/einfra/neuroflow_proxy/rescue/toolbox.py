"""The tools that a request declared, as rescue needs them: is this the name of one, and what do its arguments mean."""

from collections.abc import Mapping
from typing import NamedTuple

from ..wire.codec import InvalidJSON, dumps_text, loads
from .lenient_json import Missing, Unreadable, read_object
from .names import DeclaredNames
from .schema import Value, coerce, from_text, properties, required, unwrapped


class Call(NamedTuple):
    """A tool call that was found: a declared name, JSON text, and the grammar in which it was written."""

    name: str
    arguments: str
    grammar: str


class Toolbox:
    """Declared tools by the name that was sent upstream."""

    def __init__(self, tools: Mapping[str, Value]) -> None:
        self._schemas = tools
        self.names = DeclaredNames(tools)

    def __bool__(self) -> bool:
        return bool(self._schemas)

    def lists(self, name: str, parameter: str) -> bool:
        """Whether the tool's schema names the parameter."""
        return parameter in properties(self.schema(name))

    def split_name(self, said: str) -> tuple[str, str]:
        """The longest declared name that the text begins with, and what stands behind it; nothing if none does."""
        name = max((name for name in self._schemas if said.startswith(name)), key=len, default="")
        return name, said[len(name) :].strip()

    def schema(self, name: str | None) -> Value:
        return self._schemas.get(name) if name is not None else None

    def has_parameter(self, name: str | None, parameter: str) -> bool:
        """Whether the tool takes the parameter; a tool that lists none takes any."""
        known = properties(self.schema(name))
        return not known or parameter in known

    def from_text(self, name: str | None, parameter: str, text: str) -> Value:
        """A parameter's value that was written as bare text."""
        return from_text(text, self.schema_of(name, parameter))

    def schema_of(self, name: str | None, parameter: str) -> Value:
        """What the tool says of a parameter; None where it says nothing."""
        return properties(self.schema(name)).get(parameter)

    def call(self, name: str, arguments: Value, grammar: str) -> Call:
        """A call with these arguments, an object, with the types that the schema wants. Raises `Unreadable`."""
        if arguments is None:
            arguments = {}
        if not isinstance(arguments, dict):
            raise Unreadable("arguments are not an object")
        try:
            return Call(name, dumps_text(self._meant(name, arguments)), grammar)
        except ValueError as error:  # an infinite number
            raise Unreadable(str(error)) from error

    def call_with_text(self, name: str, text: str, grammar: str, *, missing: Missing = Missing.NOTHING) -> Call:
        """A call whose arguments are JSON text, which stays as it is where it is valid. Raises `Unreadable`."""
        text = text.strip()
        if not text and not required(self.schema(name)):
            return Call(name, "{}", grammar)
        value = read_object(text, missing=missing)
        try:
            is_valid = loads(text) == self._meant(name, value)
        except InvalidJSON:
            is_valid = False
        return Call(name, text, grammar) if is_valid else self.call(name, value, grammar)

    def _meant(self, name: str, arguments: dict[str, Value]) -> Value:
        schema = self.schema(name)
        return coerce(unwrapped(arguments, schema), schema)
