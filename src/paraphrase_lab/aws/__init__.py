"""What this package itself asks of AWS; only here, and only when asked, is boto3 imported."""
