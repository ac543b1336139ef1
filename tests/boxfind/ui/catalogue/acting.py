"""Open groups on the Catalogue page."""

from typing import Any

from streamlit.testing.v1 import AppTest

from tests.boxfind.ui.reading import press, tiles_of

CUPS = {f"cup-{number}.png" for number in range(5)}
HATS = {f"hat-{number}.png" for number in range(3)}


def open_buttons(app: AppTest) -> list[Any]:
    return [button for button in app.button if button.key and button.key.startswith("open ")]


def open_group_of(app: AppTest, images: set[str]) -> None:
    """Open groups one by one until the group with exactly these pictures is open."""
    for number in range(len(open_buttons(app))):
        open_buttons(app)[number].click()
        app.run()
        if {tile.name for tile in tiles_of(app, "group")} == images:
            return
        press(app, "All groups")
    raise AssertionError(f"no group of {images}")
