"""The command line `mlops-ray`, thin over the SDK."""
