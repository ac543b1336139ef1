"""Measure the startup steps of a new process up to its first result. Started by benchmarks/speed/start.py.

Usage: python -m benchmarks.speed.first_result BEGAN IMAGE X Y W H RANKING, with settings in the environment. Prints
the seconds since BEGAN as JSON.
"""

import ast
import json
import logging
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ("app.py", "pages/search.py")


def import_what_the_page_imports() -> None:
    """Execute only the import statements of the page."""
    logging.disable(logging.WARNING)  # Streamlit warns that no page is being served
    for file in PAGE:
        body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
        imports: list[ast.stmt] = [
            statement for statement in body if isinstance(statement, ast.Import | ast.ImportFrom)
        ]
        exec(compile(ast.Module(imports, []), file, "exec"), {})


def main(began: float, image: Path, box: list[int], ranking: str) -> None:
    steps = {"Python has started": time.time() - began}
    import_what_the_page_imports()
    steps["the page modules are imported"] = time.time() - began

    from boxfind.engine import Engine
    from boxfind.settings import Settings
    from retrieval.images.decode import load_image
    from retrieval.types import Box

    engine = Engine(Settings.load())
    gallery = engine.gallery()
    steps["the index is open"] = time.time() - began
    engine.embedder(gallery.manifest.recipe)
    steps["the network is ready"] = time.time() - began
    engine.search(gallery, load_image(image), Box.from_xywh(*box), 10, ranking)
    steps[f"first result ({ranking})"] = time.time() - began
    print(json.dumps(steps))


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]), [int(side) for side in sys.argv[3:7]], sys.argv[7])
