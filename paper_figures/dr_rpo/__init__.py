"""DR-RPO (reconstruction): robust online learning with a regularised policy."""
