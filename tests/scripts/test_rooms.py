"""The picture of the rooms shows what the code imports."""

from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from scripts.project.rooms import BOX, HEIGHT, PICTURE, arrange, draw, read_rooms

SVG = "{http://www.w3.org/2000/svg}"


def rooms_of(**imports):
    return arrange({f"scheduling.{room}": {f"scheduling.{other}" for other in imports[room]} for room in imports})


def test_picture_of_the_rooms_is_current():
    assert PICTURE.read_text() == draw(read_rooms()), "run `make rooms` and commit docs/rooms.svg"


def test_every_room_has_a_box_and_no_two_overlap():
    rooms = read_rooms()
    drawing = ET.fromstring(draw(rooms))
    boxes = [(float(box.get("x")), float(box.get("y"))) for box in drawing.iter(f"{SVG}rect") if box.get("x")]
    assert len(boxes) == len(rooms.imports) > 15
    for (x, y), (other_x, other_y) in combinations(boxes, 2):
        assert abs(x - other_x) >= BOX or abs(y - other_y) >= HEIGHT


def test_arrow_that_follows_from_others_is_left_out_and_counted():
    drawing = ET.fromstring(draw(rooms_of(top={"middle", "bottom"}, middle={"bottom"}, bottom={})))
    arrows = [path for path in drawing.iter(f"{SVG}path") if path.get("class") == "arrow"]
    assert len(arrows) == 2
    assert drawing.get("aria-label").startswith("3 rooms, 3 arrows.")


def test_room_stands_above_all_that_it_imports():
    rooms = read_rooms()
    assert all(rooms.level[room] > rooms.level[other] for room in rooms.imports for other in rooms.imports[room])


def test_circle_of_imports_is_named():
    with pytest.raises(SystemExit, match=r"scheduling\.(one|two) → scheduling\.\w+ → scheduling\.\1;"):
        draw(rooms_of(one={"two"}, two={"one"}))
