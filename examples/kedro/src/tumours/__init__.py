"""A Kedro project whose last steps are mlopskit's."""
