"""What a launcher imports by name: the task and the check of one job, wherever that runs."""
