"""Define the field types of bodies and queries, with what each accepts."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from email_validator import EmailNotValidError, validate_email
from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load
from marshmallow.validate import Length, Range

from scheduling.availability.wall_clock import find_zone, zone_names
from scheduling.schemas.ids import LARGEST_ID, read_id
from scheduling.schemas.visible_text import is_visible

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

# RFC 3339, section 5.6, with what it only tolerates: lower case and a space between date and time.
_INSTANT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt ](?P<time>\d{2}:\d{2}:\d{2})(?:\.(?P<fraction>\d{1,30}))?"
    r"(?P<offset>[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
# In a query, an unescaped + of an offset becomes a space.
_UNESCAPED_PLUS = re.compile(r"[0-9:.Tt -]{19,50} \d{2}:?\d{2}", re.ASCII)
# Control characters, surrogates, line and paragraph separators: they could end a line of a mail header or a log.
_CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_LINE_BREAKS = frozenset("\n\r\t")


class Input(Schema):
    """A body or a query string; unknown fields are ignored."""

    class Meta:
        """Ignore unknown fields, as the original does."""

        unknown = EXCLUDE

    # Other accepted names of fields: {other name: documented name}.
    aliases: ClassVar[Mapping[str, str]] = {}
    # The fields that may be null.
    nullable: ClassVar[frozenset[str]] = frozenset()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Refuse null unless `nullable` lists the field; marshmallow would accept it wherever the default is None."""
        field_obj.allow_none = field_name in self.nullable
        if field_obj.load_default is None:
            field_obj.load_default = _nothing

    @pre_load
    def _accept_aliases(self, data: Any, **_: Any) -> Any:
        given = [alias for alias in self.aliases if alias in data]
        if not given:
            return data
        data = dict(data)
        for alias in given:
            name = self.aliases[alias]
            if name in data:
                raise ValidationError({alias: [f"Give either {name} or {alias}."]})
            data[name] = data.pop(alias)
        return data


class Output(Schema):
    """An answer, for the document; clients must expect members that they do not know."""

    class Meta:
        """Leave additionalProperties out, so that members can be added later."""

        unknown = EXCLUDE


def _nothing() -> None:
    """Return None for a field that was not given; as a function the default stays out of the document."""


class Text(fields.String):
    """One line of text of 1 to `longest` characters, at least one of them visible."""

    def __init__(self, *, longest: int, **options: Any) -> None:
        """Take the greatest number of characters."""
        super().__init__(validate=[Length(1, longest), _is_one_line], **options)


class Lines(fields.String):
    """Text of any number of lines, or empty, with at most `longest` characters."""

    def __init__(self, *, longest: int, **options: Any) -> None:
        """Take the greatest number of characters."""
        super().__init__(validate=[Length(max=longest), _is_plain], **options)


class Email(fields.String):
    """An e-mail address, normalised and in lower case, at most 254 characters (RFC 5321, section 4.5.3.1)."""

    def __init__(self, **options: Any) -> None:
        """Document the format."""
        super().__init__(metadata={"format": "email", "maxLength": 254}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if not isinstance(text, str) or len(text) > 254:
            raise ValidationError("Must be an e-mail address of at most 254 characters.")
        try:
            valid = validate_email(text, check_deliverability=False, globally_deliverable=False)
        except (EmailNotValidError, UnicodeError):
            raise ValidationError("Must be a valid e-mail address.") from None
        address = valid.normalized.lower()
        # Mail clients decode an encoded word (RFC 2047) in a header, and what it encodes may be a line break.
        if "." not in valid.ascii_domain or len(address) > 254 or "=?" in address:
            raise ValidationError("Must be a valid e-mail address.")
        return address


class Password(fields.String):
    """A password of 1 to 1,024 characters."""

    def __init__(self, **options: Any) -> None:
        """Document the format and the bounds."""
        super().__init__(
            metadata={"format": "password", "minLength": 1, "maxLength": 1024}, validate=_is_password, **options
        )


class Instant(fields.Field):  # type: ignore[type-arg]
    """A time with an offset (RFC 3339) between 2000 and 2100; digits past the microsecond are cut off."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> datetime:
        match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
        if match is None and isinstance(value, str) and _UNESCAPED_PLUS.fullmatch(value):
            raise ValidationError("Must be a time with an offset; in a query, write its + as %2B.")
        if match is None:
            raise ValidationError("Must be a time with an offset, such as 2030-01-31T09:00:00Z.")
        fraction = (match["fraction"] or "")[:6].ljust(6, "0")
        offset = "+00:00" if match["offset"] in "Zz" else match["offset"]
        try:
            instant = datetime.fromisoformat(f"{match['date']}T{match['time']}.{fraction}{offset}").astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError("Must be a time that exists, such as 2030-01-31T09:00:00Z.") from None
        if not EARLIEST <= instant < LATEST:
            raise ValidationError("Must not lie before 2000-01-01T00:00:00Z, but before 2100-01-01T00:00:00Z.")
        return instant


class StrictBoolean(fields.Field):  # type: ignore[type-arg]
    """true or false; strings and numbers are refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return value


class Number(fields.Field):  # type: ignore[type-arg]
    """A whole number in a query string, in ASCII digits, from `least` to `most`."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        """Take the bounds, both included."""
        super().__init__(metadata={"minimum": least, "maximum": most}, **options)
        self.least, self.most = least, most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> int:
        digits = isinstance(value, str) and re.fullmatch(r"[1-9][0-9]{0,5}", value)
        if not digits or not self.least <= int(value) <= self.most:
            raise ValidationError(f"Must be a whole number from {self.least} to {self.most}.")
        return int(value)


class JsonObject(fields.Field):  # type: ignore[type-arg]
    """Any JSON object."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("Must be an object.")
        return value


def _is_one_line(text: str) -> None:
    if not is_visible(text):
        raise ValidationError("Must not be blank.")
    if any(unicodedata.category(character) in _CONTROL_CATEGORIES for character in text):
        raise ValidationError("Must not contain control characters or line breaks.")


def _is_plain(text: str) -> None:
    if any(unicodedata.category(character) == "Cc" for character in text if character not in _LINE_BREAKS):
        raise ValidationError("Must not contain control characters but line breaks and tabs.")


def _is_password(password: str) -> None:
    # Checked before normalisation, which takes seconds for many combining marks; NFC makes one character of at most 4.
    if len(password) > 4 * 1024 or not 1 <= len(unicodedata.normalize("NFC", password)) <= 1024:
        raise ValidationError("Must have 1 to 1024 characters.")
    if "\0" in password or any(unicodedata.category(character) == "Cs" for character in password):
        raise ValidationError("Must not contain NUL or lone surrogates.")


def _is_zone(name: str) -> None:
    try:
        find_zone(name)
    except ValueError as error:
        # In a query, Etc/GMT+5 becomes Etc/GMT 5 unless its + is escaped.
        hint = " In a query, write its + as %2B." if name.replace(" ", "+") in zone_names() else ""
        raise ValidationError(f"{error}{hint}") from None


class TimeZone(fields.String):
    """The name of an IANA time zone."""

    def __init__(self, **options: Any) -> None:
        """Document the format."""
        super().__init__(validate=_is_zone, metadata={"format": "time-zone", "examples": ["Europe/Berlin"]}, **options)


class Several(fields.List[Any]):
    """A list of `least` to `most` members; a longer one is refused before its members are validated."""

    def __init__(self, member: Any, *, most: int, least: int = 0, validate: Any = (), **options: Any) -> None:
        """Take the bounds, both included, and validators of the whole list."""
        super().__init__(member, validate=[Length(least, most), *validate], **options)
        self.most = most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError("Must be an array.")
        if len(value) > self.most:
            raise ValidationError(f"Must have at most {self.most} members.")
        return super()._deserialize(value, attr, data, **options)


class Form(fields.String):
    """A text that matches a regular expression."""

    def __init__(self, form: str, example: str, **options: Any) -> None:
        """Take a regular expression, and an example that matches."""
        super().__init__(metadata={"pattern": f"^(?:{form})$", "examples": [example]}, **options)
        self.form, self.example = re.compile(form), example

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if not isinstance(text, str) or not self.form.fullmatch(text):
            raise ValidationError(f"Must be of the form {self.example}.")
        return text


class WholeNumber(fields.Integer):
    """A whole number from `least` to `most` in a body: neither 1.0 nor "1" is one."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        """Take the bounds, both included."""
        super().__init__(strict=True, validate=Range(least, most), **options)


class IdParameter(Number):
    """An id in a query string."""

    def __init__(self, **options: Any) -> None:
        super().__init__(1, LARGEST_ID, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> int:
        number = read_id(value) if isinstance(value, str) else None
        if number is None:
            raise ValidationError("Must be an id.")
        return number
