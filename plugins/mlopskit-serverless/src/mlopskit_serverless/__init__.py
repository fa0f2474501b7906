"""Function services for mlopskit: zips that answer from a package, proven in the services' own runtimes."""

from mlopskit import Deployer, hookimpl


@hookimpl
def mlopskit_deployers() -> list[type[Deployer]]:
    """Return the targets `aws-lambda`, `lambda-zip`, `azure-functions` and `google-functions`."""
    from mlopskit_serverless.functions import AzureFunctions, GoogleFunctions, LambdaZip
    from mlopskit_serverless.lambdadeployer import AwsLambda

    return [AwsLambda, LambdaZip, AzureFunctions, GoogleFunctions]
