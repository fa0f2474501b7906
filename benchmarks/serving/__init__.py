"""`mlopskit serve` beside other servers of the same models: what `make prove PART=serving` measures."""
