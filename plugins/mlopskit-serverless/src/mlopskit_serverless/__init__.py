"""Function services for mlopskit: zips that answer from a package, proven in the services' own runtimes."""
