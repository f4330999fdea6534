"""Entry points for `ray job submit`, each a few lines over the SDK."""
