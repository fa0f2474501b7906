"""A function's zip, written: with bytecode where that is possible and fits, and never over its service's limits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlopskit import ModelPackage, StoredModel, write_zip
from mlopskit.errors import ConfigError, LimitError
from mlopskit_serverless.contents import Contents, contents
from mlopskit_serverless.options import FORMS, FunctionOptions
from mlopskit_serverless.services import Service
from mlopskit_serverless.sizes import Sizes, mib

ZIP = "function.zip"


def needed(model: StoredModel | None, /) -> StoredModel:
    """Return the form of a model that a function is built from.

    Raises:
        ConfigError: there is none.
    """
    if model is None:
        raise ConfigError("A function needs a form of the model.", remedy="Package it as portable, onnx or skops.")
    return model


def write(
    service: Service, options: FunctionOptions, package: ModelPackage, model: StoredModel, file: Path, /
) -> tuple[Sizes, dict[str, str]]:
    """Write the zip of a function; return its sizes, and what there is to say of it.

    Raises:
        LimitError: it is larger than the service takes; the message has the sizes by part.
        DeployError: the wheels of the form's engine were not fetched.
    """
    with contents(service, options, package, model) as held:
        whole = {**held.files, **held.bytecode}
        found = _written(whole, held, file) if _bytes(whole) <= service.unzipped_limit else None
        compiled = found is not None and _fits(service, found)
        if found is None or (held.bytecode and not compiled):
            found = _written(held.files, held, file)
    said = "of the runtime and of wheels"
    if not held.bytecode:
        said = f"none: it is made by Python {options.python} alone, and another one has built this"
    elif not compiled:
        said = "none: with it the zip is larger than the service takes"
    if not _fits(service, found):
        file.unlink()
        raise _too_large(service, package, model, found)
    return found, {
        "service": f"{service.name}, which takes {mib(service.zip_limit)} and {mib(service.unzipped_limit)} unzipped",
        "made for": f"Python {options.python} on {options.platform}",
        "form of the model": f"{model.format}{_others(package, model)}",
        "bytecode": said,
    }


def _written(files: Mapping[str, bytes | Path], held: Contents, file: Path) -> Sizes:
    write_zip(files, file)
    return Sizes.of(file, held.stripped)


def _bytes(files: Mapping[str, bytes | Path]) -> int:
    return sum(len(one) if isinstance(one, bytes) else one.stat().st_size for one in files.values())


def _fits(service: Service, found: Sizes) -> bool:
    return found.zipped <= service.zip_limit and found.unzipped <= service.unzipped_limit


def _others(package: ModelPackage, model: StoredModel) -> str:
    """Return in words why no smaller form was taken."""
    refusals = package.manifest["provenance"].get("refusals", {})
    smaller = FORMS[: FORMS.index(model.format)]
    said = [f"{form}: {'; '.join(refusals[form])}" for form in smaller if refusals.get(form)]
    return f" (not {', not '.join(said)})" if said else ""


def _too_large(service: Service, package: ModelPackage, model: StoredModel, found: Sizes) -> LimitError:
    held = {one.format for one in package.models}
    smaller = [form for form in FORMS[: FORMS.index(model.format)] if form in held]
    remedy = (
        f"Leave the option form out: the package holds the model as {smaller[0]}, which is far smaller."
        if smaller
        else "Serve it in a container, which has no such limit: the targets webapi and docker."
    )
    return LimitError(
        f"The zip has {mib(found.zipped)}, {mib(found.unzipped)} unzipped; {service.name} takes "
        f"{mib(service.zip_limit)}, {mib(service.unzipped_limit)} unzipped. Its largest parts: {found.text()}. "
        f"The form of the model is {model.format!r}{_others(package, model)}.",
        remedy=remedy,
        sizes=found,
    )
