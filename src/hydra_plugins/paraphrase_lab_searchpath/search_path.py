"""Puts `experiments/` on the search path as the groups `experiment` and `ablation`, for our own configuration only."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from paraphrase_lab.paths import CONF_DIR, EXPERIMENTS_DIR


class ParaphraseLabSearchPath(SearchPathPlugin):
    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        main = next((entry.path for entry in search_path.get_path() if entry.provider == "main"), None)
        if main is not None and main.removeprefix("file://") == str(CONF_DIR):
            search_path.append(provider="paraphrase-lab-experiments", path=f"file://{EXPERIMENTS_DIR}")
