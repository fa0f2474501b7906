"""The kit for testing plugins: conformance suites, reference deployers, storages and faults made to order."""
