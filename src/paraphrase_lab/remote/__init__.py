"""The names that a launcher imports: the task and the check of one job, wherever that runs."""
