"""Built-in plugins; the core imports none of them."""
