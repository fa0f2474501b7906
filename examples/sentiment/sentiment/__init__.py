"""The model of the sentiment example."""
