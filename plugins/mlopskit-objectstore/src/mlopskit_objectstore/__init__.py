"""S3, Google Cloud Storage and S3-compatible servers for mlopskit: `s3://` and `gs://` addresses."""

from mlopskit import Storage, hookimpl


@hookimpl
def mlopskit_storages() -> list[type[Storage]]:
    """Return the storage of `s3://` and `gs://`."""
    from mlopskit_objectstore.storage import ObjectStorage

    return [ObjectStorage]
