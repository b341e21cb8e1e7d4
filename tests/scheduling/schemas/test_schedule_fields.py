"""What a schedule may say, and what is refused."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from scheduling.schemas.schedules import DateHours, Hours
from tests.scheduling.answers import assert_refused, nothing_written

MORNING = {"start": "09:00", "end": "12:00"}
MONDAYS = {"days": ["MO"]} | MORNING
DAY_OFF = {"date": "2030-12-24", "intervals": []}


def body(**more):
    return {"name": "Office", "time_zone": "Europe/Berlin", "rules": [MONDAYS]} | more


NO_NAMES = [None, "", " ", 1, [], "x" * 101, "a\nb"]
NO_ZONES = [None, "", 1, "Europe", "europe/berlin", "Europe/Berlin ", "../Europe/Berlin", "/etc/localtime", "localtime"]
NO_ZONES += ["Factory", "posixrules", "tzdata.zi", "+01:00", "CET-1CEST", "Europe/Berlin/", "x" * 5000]
NO_LISTS = [None, {}, "MO", 1, True]
NO_RULES = [None, 1, "MO", []]
FAULTS = [
    *[({"name": value}, "/name") for value in NO_NAMES],
    *[({"time_zone": value}, "/time_zone") for value in NO_ZONES],
    *[({"rules": value}, "/rules") for value in [*NO_LISTS, [MONDAYS] * 51]],
    *[({"rules": [MONDAYS, value]}, "/rules/1") for value in NO_RULES],
    *[({"rules": [MONDAYS | {"days": value}]}, "/rules/0/days") for value in [*NO_LISTS, [], ["MO", "MO"]]],
    *[({"rules": [MONDAYS | {"days": [value]}]}, "/rules/0/days/0") for value in [None, "mo", "", 1, "Monday"]],
    *[({"rules": [MONDAYS | {"end": value}]}, "/rules/0/end") for value in ["09:00", "08:59", "00:00", None, 17]],
    ({"rules": [{"days": ["MO"], "end": "17:00"}]}, "/rules/0/start"),
    ({"rules": [{"days": ["MO"], "start": "24:00", "end": "24:00"}]}, "/rules/0/start"),
    *[({"overrides": value}, "/overrides") for value in [*NO_LISTS, [DAY_OFF, DAY_OFF]]],
    *[({"overrides": [DAY_OFF | {"date": value}]}, "/overrides/0/date") for value in [None, "2030-02-29", 1]],
    ({"overrides": [{"date": "2030-01-01"}]}, "/overrides/0/intervals"),
    *[({"overrides": [DAY_OFF | {"intervals": value}]}, "/overrides/0/intervals") for value in NO_LISTS],
    ({"overrides": [DAY_OFF | {"intervals": [MORNING] * 21}]}, "/overrides/0/intervals"),
    ({"overrides": [DAY_OFF | {"intervals": [{"start": "12:00", "end": "11:00"}]}]}, "/overrides/0/intervals/0/end"),
    *[({"is_default": value}, "/is_default") for value in [None, 1, "true", []]],
]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(("fault", "pointer"), FAULTS)
def test_fault_is_named_and_nothing_is_written(people, database, method, fault, pointer):
    schedule = people.alice.schedule()
    path, sent = ("/schedules", body(**fault)) if method == "POST" else (f"/schedules/{schedule['id']}", fault)
    with nothing_written(database):
        answer = people.alice.send(method, path, sent)
        assert_refused(answer, 400, "validation_error", pointer)


@pytest.mark.parametrize("name", ["name", "time_zone", "rules"])
def test_new_schedule_has_a_name_a_zone_and_rules(people, name):
    given_body = {key: value for key, value in body().items() if key != name}
    assert_refused(people.alice.post("/schedules", given_body), 400, "validation_error", f"/{name}")


def test_as_much_as_is_allowed_is_kept(people):
    dates = [date.fromordinal(date(2030, 1, 1).toordinal() + number).isoformat() for number in range(367)]
    overrides = [{"date": day, "intervals": []} for day in dates]
    overrides[0]["intervals"] = [MORNING] * 20
    alice = people.alice
    schedule = alice.schedule(name="x" * 100, rules=[MONDAYS] * 50, overrides=overrides[:366])
    assert (len(schedule["rules"]), len(schedule["overrides"])) == (50, 366)
    answer = alice.patch(f"/schedules/{schedule['id']}", {"overrides": overrides})
    assert_refused(answer, 400, "validation_error", "/overrides")


def test_list_that_is_far_too_long_is_refused_in_one_sentence(people):
    answer = people.alice.post("/schedules", body(rules=[{}] * 20_000))
    assert_refused(answer, 400, "validation_error", "/rules")
    assert len(answer.json["errors"]) == 1


clocks = st.integers(0, 24 * 60).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}")
texts = clocks | st.from_regex(r"\A[0-9]{1,2}:[0-9]{1,2}\n?\Z") | st.text(max_size=6)


def minutes_of(text, *, latest):
    """Return the minute of the day that a clock shows, None when no clock shows it."""
    digits = [text[:2], text[3:]]
    if len(text) != 5 or text[2] != ":" or not all(each.isascii() and each.isdigit() for each in digits):
        return None
    hours, minutes = map(int, digits)
    return hours * 60 + minutes if minutes < 60 and hours * 60 + minutes <= latest else None


def is_taken(schema, data):
    try:
        return schema.load(data) == data
    except ValidationError:
        return False


@given(texts, texts)
def test_hours_are_two_times_of_a_day_in_their_order(start, end):
    begins, ends = minutes_of(start, latest=1439), minutes_of(end, latest=1440)
    expected = begins is not None and ends is not None and begins < ends
    assert is_taken(Hours(), {"start": start, "end": end}) is expected


@given(st.dates().map(date.isoformat) | st.from_regex(r"\A20[0-9]{2}-?[0-9]{2}-?[0-9]{2}\n?\Z") | st.text(max_size=12))
def test_date_is_one_of_the_calendar_from_2000_to_2099(text):
    try:
        expected = date.fromisoformat(text).isoformat() == text and text.startswith("20")
    except ValueError:
        expected = False
    assert is_taken(DateHours(), {"date": text, "intervals": []}) is expected
