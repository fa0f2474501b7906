"""An ONNX model in ONNX Runtime's own format, the same bytes each time."""

from __future__ import annotations

import importlib
import json
import tempfile
from pathlib import Path
from typing import Any

from mlopskit import ModelPackage, format_of
from mlopskit.runtime import load, open_package
from mlopskit_device import bundle

FORMAT = "onnx"
IDENTIFIER = b"ORTM"


def files_of(package: ModelPackage, /) -> dict[str, bytes]:
    """Return a package's ONNX model in ORT format, and how it is asked from Kotlin."""
    loader = format_of(FORMAT).loader
    (file,) = next(one.files for one in package.models if one.format == FORMAT)
    opened = open_package(package.folder, digest=package.digest, format=FORMAT, keep=lambda path: path == file)
    # The format's loader says what may come before the engine.
    load(opened, loaders={FORMAT: lambda: importlib.import_module(loader)}, format=FORMAT)
    row = json.dumps(bundle.sample(package), ensure_ascii=False)
    kotlin = bundle.template("use/onnx/Example.kt.txt", row=row.replace("$", "${'$'}"))
    return {"model.ort": converted(opened.files[file]), "use/Example.kt": kotlin}


def converted(model: bytes, /) -> bytes:
    """Return a checked ONNX model in ORT format, for runtimes that read no other; no node is changed."""
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="mlopskit-") as folder:
        target = Path(folder, "model.ort")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.optimized_model_filepath = str(target)
        options.add_session_config_entry("session.save_model_format", "ORT")
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return _in_order(target.read_bytes())


def _in_order(data: bytes) -> bytes:
    """Return the same flatbuffer with the operators' entries, which stand in the order of a hash, sorted.

    The file was written from its end: the model first, then the entries. All of the model is kept as it is.
    """
    import flatbuffers
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs import InferenceSession as Session
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs import KernelTypeStrResolver as Resolver

    session = Session.InferenceSession.GetRootAs(data)
    model = session.Model()._tab  # noqa: SLF001  # where it stands is told by nothing else
    start = _start(model)
    builder = flatbuffers.Builder(len(data))
    builder.Bytes[-(len(data) - start) :] = data[start:]
    builder.head = len(builder.Bytes) - (len(data) - start)
    builder.minalign = 8
    found = session.KernelTypeStrResolver()
    entries = [found.OpKernelTypeStrArgs(at) for at in range(found.OpKernelTypeStrArgsLength())]
    operators = [_operator(builder, one) for one in sorted(entries, key=lambda one: one.OpId())]
    vector = _vector(builder, operators)
    Resolver.Start(builder)
    Resolver.AddOpKernelTypeStrArgs(builder, vector)
    resolver = Resolver.End(builder)
    version = builder.CreateString(session.OrtVersion())
    Session.Start(builder)
    Session.AddOrtVersion(builder, version)
    Session.AddModel(builder, len(data) - model.Pos)
    Session.AddKernelTypeStrResolver(builder, resolver)
    builder.Finish(Session.End(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _start(table: Any) -> int:
    """Return where the bytes of a table begin, with the list of its fields, which may stand before it."""
    fields = table.Pos - int.from_bytes(table.Bytes[table.Pos : table.Pos + 4], "little", signed=True)
    return int(min(fields, table.Pos))


def _vector(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for one in reversed(offsets):
        builder.PrependUOffsetTRelative(one)
    return int(builder.EndVector())


def _operator(builder: Any, given: Any) -> int:
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs import ArgTypeAndIndex as Argument
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs import KernelTypeStrArgsEntry as Entry
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs import OpIdKernelTypeStrArgsEntry as Operator

    types = [given.KernelTypeStrArgs(at) for at in range(given.KernelTypeStrArgsLength())]
    made = []
    for one in sorted(types, key=lambda one: one.KernelTypeStr()):
        arguments = []
        for argument in map(one.Args, range(one.ArgsLength())):
            Argument.Start(builder)
            Argument.AddArgType(builder, argument.ArgType())
            Argument.AddIndex(builder, argument.Index())
            arguments.append(Argument.End(builder))
        name, vector = builder.CreateString(one.KernelTypeStr()), _vector(builder, arguments)
        Entry.Start(builder)
        Entry.AddKernelTypeStr(builder, name)
        Entry.AddArgs(builder, vector)
        made.append(Entry.End(builder))
    name, vector = builder.CreateString(given.OpId()), _vector(builder, made)
    Operator.Start(builder)
    Operator.AddOpId(builder, name)
    Operator.AddKernelTypeStrArgs(builder, vector)
    return int(Operator.End(builder))
