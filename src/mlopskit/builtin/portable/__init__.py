"""The format `portable`: a model as tables in double precision, scored by the standard library alone."""
