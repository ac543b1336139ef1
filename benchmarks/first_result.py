"""Print the seconds of each startup step of a new process, as JSON; `benchmarks.startup` runs it.

Usage: python -m benchmarks.first_result BEGAN IMAGE X Y W H, with settings in the environment.
"""

import ast
import json
import logging
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(began: float, image: str, *box: str) -> None:
    steps = {"Python has started": time.time() - began}
    logging.disable(logging.WARNING)  # Streamlit warns that no page is being served
    for file in ("app.py", "pages/search.py"):  # execute only their import statements
        body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
        imports: list[ast.stmt] = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, []), file, "exec"), {})
    steps["the page modules are imported"] = time.time() - began

    from boxfind.engine import Engine
    from boxfind.settings import Settings
    from retrieval.images.decode import load_image
    from retrieval.types import Box

    engine = Engine(Settings.load())
    gallery = engine.gallery()
    steps["the index is open"] = time.time() - began
    engine.networks.embedder(gallery.manifest.recipe)
    steps["the network is ready"] = time.time() - began
    engine.search(gallery, load_image(Path(image)), Box.from_xywh(*map(int, box)))
    steps["first result (fast)"] = time.time() - began
    print(json.dumps(steps))


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
