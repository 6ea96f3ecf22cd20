"""The theorems of papers as chains of checks."""
