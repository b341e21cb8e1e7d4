"""The types of the contract against what Python itself knows about them."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from scheduling.schemas.fields import EARLIEST, LATEST, Email, Input, Instant, JsonObject, Number, StrictBoolean, Text

settings.register_profile("fields", deadline=None)
settings.load_profile("fields")

json_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.just({})
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
local_times = st.datetimes(datetime(1999, 12, 25), datetime(2100, 1, 8))  # noqa: DTZ001  the offset is another draw


def is_refused(field, value):
    try:
        field.deserialize(value)
    except ValidationError:
        return True
    return False


# Instant


@given(local_times, offsets)
def test_instant_is_what_datetime_reads(local, offset):
    time = local.replace(tzinfo=offset)
    if EARLIEST <= time < LATEST:
        read = Instant().deserialize(time.isoformat())
        assert read == time
        assert read.tzinfo is UTC
    else:
        assert is_refused(Instant(), time.isoformat())


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)), st.text("0123456789", min_size=1, max_size=30))  # noqa: DTZ001
def test_digits_past_the_microsecond_are_cut_off(local, digits):
    expected = local.replace(microsecond=int(digits[:6].ljust(6, "0")), tzinfo=UTC)
    assert Instant().deserialize(f"{local:%Y-%m-%dT%H:%M:%S}.{digits}Z") == expected


@given(local_times, st.sampled_from("Tt "), st.sampled_from(["Z", "z", "+00:00", "-00:00"]))
def test_letters_may_be_lower_case(local, between, offset):
    local = local.replace(microsecond=0)
    text = f"{local:%Y-%m-%d}{between}{local:%H:%M:%S}{offset}"
    assert is_refused(Instant(), text) is not (EARLIEST <= local.replace(tzinfo=UTC) < LATEST)


@given(local_times)
def test_time_without_an_offset_is_refused(local):
    assert is_refused(Instant(), local.isoformat())


@given(json_values | st.text("0123456789-:.TZ+ ", max_size=30))
def test_what_is_accepted_as_an_instant_is_one(value):
    if not is_refused(Instant(), value):
        assert datetime.fromisoformat(value.upper()[:19] + "+00:00") >= EARLIEST


@pytest.mark.parametrize(
    "value",
    [
        "2030-01-01",
        "2030-01-01T09:00Z",
        "2030-01-01T09:00:00",
        "2030-01-01T09:00:00+01",
        "2030-01-01T09:00:00+0100",
        "2030-01-01T09:00:00+24:00",
        "2030-01-01T09:00:00+00:60",
        "2030-01-01T09:00:00.Z",
        "2030-01-01T09:00:00,5Z",
        "2030-01-01T09:00:60Z",
        "2016-12-31T23:59:60Z",
        "2030-01-01T24:00:00Z",
        "2030-02-29T09:00:00Z",
        "2030-13-01T09:00:00Z",
        "2030-00-01T09:00:00Z",
        "2030-W01-1T09:00:00Z",
        "20300101T090000Z",
        "2030-01-01T09:00:00Z ",
        " 2030-01-01T09:00:00Z",
        "2030-01-01T09:00:00Z\n",
        "\uff12\uff10\uff13\uff10-01-01T09:00:00Z",
        "+2030-01-01T09:00:00Z",
        "12030-01-01T09:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "1999-12-31T23:59:59.999999Z",
        "2100-01-01T00:00:00Z",
        "infinity",
        "now",
        "1893456000",
        1893456000,
        None,
        True,
        [],
        {},
    ],
)
def test_what_is_no_instant_is_refused(value):
    assert is_refused(Instant(), value)


@pytest.mark.parametrize(
    "value",
    ["2000-01-01T00:00:00Z", "2099-12-31T23:59:59.999999Z", "2000-01-01T02:00:00+02:00", "2028-02-29T00:00:00Z"],
)
def test_bounds_are_instants_themselves(value):
    assert Instant().deserialize(value) == datetime.fromisoformat(value)


# Text


def shows(character):
    """Tell what is ink by its name and category."""
    name, category = unicodedata.name(character, ""), unicodedata.category(character)
    empty = re.search(r"FILLER|BRAILLE PATTERN BLANK|OBJECT REPLACEMENT|NULL NOTEHEAD|(FULL|HALF) BLANK", name)
    reserved = character == "\u2065" or 0xFFF0 <= ord(character) <= 0xFFF8 or ord(character) >> 12 == 0xE0
    return (category[0] in "LNPS" and not empty) or (category in ("Cn", "Co") and not reserved)


@given(
    json_values | st.text(max_size=12) | st.text(st.sampled_from("\u200b\u3164\u2800\u0301\ufe0f\ufffcx"), max_size=12)
)
def test_text_is_one_line_that_is_not_blank(value):
    acceptable = (
        isinstance(value, str)
        and 1 <= len(value) <= 10
        and any(shows(character) for character in value)
        and not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value)
    )
    assert is_refused(Text(longest=10), value) is not acceptable
    if acceptable:
        assert Text(longest=10).deserialize(value) == value


@given(st.text(min_size=1, max_size=40))
def test_text_that_is_accepted_stays_one_line_in_a_mail(value):
    if not is_refused(Text(longest=40), value):
        assert value.splitlines() == [value]


# Email

addresses = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_{|}~-]{1,20}@[A-Za-z0-9]{1,20}\.(com|org|Example)", fullmatch=True)


@given(addresses)
def test_address_is_stored_in_lower_case(address):
    if not is_refused(Email(), address):
        assert Email().deserialize(address) == address.lower()


@given(addresses)
def test_address_compares_case_insensitively(address):
    if not is_refused(Email(), address):
        assert Email().deserialize(address.upper()) == Email().deserialize(address.lower())


@given(st.emails() | st.text(max_size=40).map("{}@example.com".format) | st.text(max_size=40))
def test_normalised_address_stays_as_it_is(address):
    if not is_refused(Email(), address):
        normalised = Email().deserialize(address)
        assert Email().deserialize(normalised) == normalised
        assert normalised == normalised.lower()
        assert 3 <= len(normalised) <= 254
        assert normalised.splitlines() == [normalised]


@given(json_values)
def test_what_is_no_text_is_no_address(value):
    if not isinstance(value, str):
        assert is_refused(Email(), value)


@pytest.mark.parametrize(("length", "refused"), [(254, False), (255, True)])
def test_address_has_at_most_254_characters(length, refused):
    domain = ".".join(["d" * 60] * 3) + ".example.com"
    address = "a" * 20 + "@" + "b" * (length - 21 - len(domain) - 1) + "." + domain
    assert len(address) == length
    assert is_refused(Email(), address) is refused


# Number


@given(st.text(max_size=8) | st.integers(-10_000_000, 10_000_000).map(str))
def test_number_is_written_in_ascii_digits_within_its_bounds(text):
    acceptable = text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= 500
    assert is_refused(Number(1, 500), text) is not acceptable
    if acceptable:
        assert Number(1, 500).deserialize(text) == int(text)


@pytest.mark.parametrize("value", [None, 1, 1.0, True, [], {}, "٣", "²", "1_0", "1\n", "0x1"])
def test_what_is_no_number_is_refused(value):
    assert is_refused(Number(0, 500), value)


# Booleans and objects


@given(json_values)
def test_only_booleans_are_booleans(value):
    assert is_refused(StrictBoolean(), value) is not isinstance(value, bool)


@given(json_values)
def test_only_objects_are_objects(value):
    assert is_refused(JsonObject(), value) is not isinstance(value, dict)


# Spellings


class Spelled(Input):
    """A schema with two spellings of one field."""

    aliases = {"event_type": "eventType"}  # noqa: RUF012
    event_type = Text(longest=10, required=True, data_key="eventType")


@pytest.mark.parametrize("name", ["eventType", "event_type"])
def test_either_spelling_is_read_and_the_rest_is_ignored(name):
    body = {name: "x", "role": "admin"}
    assert Spelled().load(body) == {"event_type": "x"}
    assert body == {name: "x", "role": "admin"}


def test_both_spellings_are_refused():
    with pytest.raises(ValidationError) as refusal:
        Spelled().load({"eventType": "x", "event_type": "x"})
    assert list(refusal.value.messages) == ["event_type"]
