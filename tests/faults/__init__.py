"""What may die, dies: real processes, real signals, a proxy that cuts at a byte, then the auditor."""
