"""Images of models for mlopskit: the target `docker`, and the command of that name."""
