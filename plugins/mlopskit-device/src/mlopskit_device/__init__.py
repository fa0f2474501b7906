"""Models on devices for mlopskit: the target `device`."""

from mlopskit import Deployer, hookimpl


@hookimpl
def mlopskit_deployers() -> list[type[Deployer]]:
    """Return the target `device`."""
    from mlopskit_device.deployer import Device

    return [Device]
