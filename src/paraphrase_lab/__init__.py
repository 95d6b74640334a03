"""paraphrase-lab: fine-tune cross-encoders that tell whether two sentences mean the same."""

__version__ = "0.1.0"
