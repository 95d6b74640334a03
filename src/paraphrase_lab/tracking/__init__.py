"""The places that metrics go to while a run trains."""
