"""The objects of the sample gallery by name."""

from collections.abc import Callable

from boxfind.samples import drawn_objects, photographed_objects, solid_objects
from boxfind.samples.sketch import Cutout

OBJECTS: dict[str, Callable[[], Cutout]] = {
    "badge": drawn_objects.badge,
    "board-game": drawn_objects.board_game,
    "calendar": photographed_objects.wall_calendar,
    "cassette": drawn_objects.cassette,
    "cat-photo": photographed_objects.cat_photo,
    "cereal-box": drawn_objects.cereal_box,
    "coffee-cup": photographed_objects.coffee_cup,
    "magazine": photographed_objects.space_magazine,
    "novel": drawn_objects.novel,
    "painted-horse": solid_objects.painted_horse,
    "playing-card": drawn_objects.playing_card,
    "postcard": photographed_objects.rocket_postcard,
    "road-sign": drawn_objects.road_sign,
    "soda-can": solid_objects.soda_can,
    "stamp": drawn_objects.postage_stamp,
    "star-poster": photographed_objects.star_poster,
    "striped-mug": solid_objects.striped_mug,
    "tea-tin": solid_objects.tea_tin,
}
