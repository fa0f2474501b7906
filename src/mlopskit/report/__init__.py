"""The report; it composes the values' tables."""
