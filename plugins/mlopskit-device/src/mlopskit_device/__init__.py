"""Models on devices for mlopskit: the target `device`, and the command of that name."""

from mlopskit import Deployer, hookimpl


@hookimpl
def mlopskit_deployers() -> list[type[Deployer]]:
    """Return the target `device`."""
    from mlopskit_device.deployer import Device

    return [Device]


@hookimpl
def mlopskit_commands() -> list[object]:
    """Return the command `mlopskit device`."""
    from mlopskit_device.command import device

    return [device]
