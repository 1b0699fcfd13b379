"""What proves the service under load, proved itself: scenarios and their verifier, the benchmark and its parts."""
