"""Many callers, few rows, real commits, then the auditor."""
