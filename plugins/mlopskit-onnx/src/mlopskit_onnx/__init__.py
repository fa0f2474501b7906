"""The format `onnx`: a model as an ONNX graph in double precision."""

from mlopskit import Format, hookimpl


@hookimpl
def mlopskit_formats() -> list[type[Format]]:
    """Return the format `onnx`."""
    from mlopskit_onnx.format import OnnxFormat

    return [OnnxFormat]
