"""Loaded objects that would replace what their class has."""


def test_what_the_class_has_cannot_be_replaced(archive, forge, refuses, make):
    forged = forge(archive)
    forged.set("predict", make.node("FunctionNode", "numpy.exp"))
    refuses(forged.data(), "would replace what the class itself has")
    forged = forge(archive)
    forged.set("_validate_params", make.json(1), "steps", 1, 1)
    refuses(forged.data(), "model.steps.1..1.: LogisticRegression._validate_params")
