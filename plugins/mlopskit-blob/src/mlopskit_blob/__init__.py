"""Azure Blob Storage for mlopskit: `az://` addresses, and the target `blob`."""

from mlopskit import Deployer, Storage, hookimpl


@hookimpl
def mlopskit_storages() -> list[type[Storage]]:
    """Return the storage of `az://`."""
    from mlopskit_blob.storage import BlobStorage

    return [BlobStorage]


@hookimpl
def mlopskit_deployers() -> list[type[Deployer]]:
    """Return the target `blob`."""
    from mlopskit_blob.deployer import Blob

    return [Blob]
