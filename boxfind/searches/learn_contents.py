"""Note the contents of what group names and saved searches of earlier versions name by path, before names change."""

from pathlib import Path

from boxfind.logs import log
from boxfind.searches.errors import SavedSearchesProblem
from boxfind.searches.group_names import GroupNames
from boxfind.searches.saved_searches import SavedSearches
from index.storage.generation import current_folder, open_generation
from retrieval.errors import IndexProblem


def learn_contents(searches_file: Path, index_dir: Path) -> None:
    """Call it before an update, which may rename pictures. Without an index, nothing is learned."""
    names, searches = GroupNames(searches_file), SavedSearches(searches_file)
    try:
        if not names.of_earlier_versions() and not searches.of_earlier_versions():
            return
        tables = open_generation(current_folder(index_dir)).tables
        names.learn_contents(dict(zip(tables.ids, tables.images["sha256"].to_pylist(), strict=True)))
        searches.learn_contents(tables)
    except IndexProblem:
        pass
    except SavedSearchesProblem as problem:
        log.warning("Names of renamed pictures cannot be kept: %s", problem)
