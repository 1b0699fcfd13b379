"""The load scenarios and their verifier: they find what is wrong, and nothing where all is well."""
