"""Hydra search-path plugin of paraphrase-lab."""
