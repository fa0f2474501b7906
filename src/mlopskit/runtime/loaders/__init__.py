"""The loaders that travel beside this copy of the runtime: a module, or a package of modules, per form of the model."""
