"""The format `onnx`, a model as an ONNX graph in double precision, and the command `onnx`."""

from mlopskit import Format, hookimpl


@hookimpl
def mlopskit_formats() -> list[type[Format]]:
    """Return the format `onnx`."""
    from mlopskit_onnx.format import OnnxFormat

    return [OnnxFormat]


@hookimpl
def mlopskit_commands() -> list[object]:
    """Return the command `onnx`."""
    from mlopskit_onnx.command import onnx

    return [onnx]
