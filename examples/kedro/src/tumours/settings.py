"""Kedro's settings: all as it has them."""
