"""The target `docker` keeps the contract of deployers."""
