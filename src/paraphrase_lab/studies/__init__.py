"""Ablation studies: a sweep, the question it answers, and the answer written down."""
