"""What stands on a page that runs without a browser, and the ways to act on it."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from retrieval.types import Box
from ui.admin import Visitor
from ui.session import Drawing, Picture

APP = Path(__file__).parents[2] / "app.py"
WIDTH, HEIGHT = 320, 240
HERE = Visitor(server="127.0.0.1", headers={"host": ("127.0.0.1:8501",)})
"""A visitor at the machine the program runs on."""


def calm(app: AppTest) -> bool:
    """Whether nothing went wrong that nobody foresaw."""
    return not app.exception and "Something went wrong" not in texts(app, "error")


def texts(app: AppTest, kind: str) -> str:
    return " ".join(str(element.value) for element in app.get(kind))


def alts(app: AppTest) -> list[str]:
    return [image.alt for element in app.get("image") for image in element.proto.imgs]


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click()
    app.run()


def choose(app: AppTest, picture: Path, box: Box | None = None) -> Picture:
    chosen = Picture(picture.name, picture.read_bytes())
    app.session_state["picture"] = chosen
    app.session_state["drawing"] = Drawing(box, box)
    return chosen


def draw_on_canvas(app: AppTest, key: str, *boxes: tuple[float, float, float, float]) -> None:
    put_on_canvas(
        app,
        key,
        {
            "objects": [
                {"type": "LabeledRect", "left": x, "top": y, "width": w, "height": h, "scaleX": 1, "scaleY": 1}
                for x, y, w, h in boxes
            ]
        },
    )


def put_on_canvas(app: AppTest, key: str, raw: object) -> None:
    """As a browser would tell it, true or not."""
    app.session_state[key] = {"drawing": {"raw": raw, "data": None}, "backgroundFit": None}
