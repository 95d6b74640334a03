"""Where metrics go while a run trains."""
