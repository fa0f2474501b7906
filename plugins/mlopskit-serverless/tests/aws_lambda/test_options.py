"""What the target `aws-lambda` takes, without AWS."""

from __future__ import annotations

import pytest
from mlopskit_serverless.lambdaasking import measured
from mlopskit_serverless.lambdadeployer import AwsLambda
from mlopskit_serverless.lambdaoptions import check_lambda

from mlopskit.errors import ConfigError

ROLE = "arn:aws:iam::123456789012:role/service-role/model"


@pytest.mark.parametrize(
    "options",
    [
        {"function": "Model_1-x", "region": "us-gov-west-1", "role": ROLE, "alias": "p", "bucket": "zips.example"},
        {"region": "cn-north-1", "role": "arn:aws-cn:iam::123456789012:role/m", "timeout": 900},
        {"endpoint_url": "http://localhost:4566/"},
        {"endpoint_url": "https://[::1]:4566"},
    ],
)
def test_what_aws_takes_is_taken(options):
    assert check_lambda(AwsLambda(**options), "sentiment") == options.get("function", "mlopskit-sentiment")


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("function", ["a b", "a:b", "arn:aws:lambda:eu-central-1:1:function:x", "x" * 65, "ä", "a\n"]),
        ("region", ["eu", "eu-central-1 ", "eu-central-1\n", "evil.example.com/", "eu-central-1.evil.example"]),
        ("role", ["model", ROLE + "\n", "arn:aws:iam::1:role/x", "arn:aws:iam::123456789012:user/x"]),
        ("alias", ["", "1", "a b", "$LATEST", "x" * 129, "p\n"]),
        ("bucket", ["s3://zips", "zips/folder", "Z", "zips\n"]),
        ("timeout", [0, 901, -1, True, 1.5, "30"]),
        (
            "endpoint_url",
            ["localhost:1", "ftp://x", "http://", "http://u:canary@x", "http://x/?sig=canary", "http://x:99999"],
        ),
        ("memory", [127, 10_241]),
        ("python", ["3", "3.9", "3.12\n"]),
    ],
)
def test_what_aws_does_not_take_is_refused_with_its_name_and_no_secret(key, values):
    for value in values:
        with pytest.raises(ConfigError, match=key) as raised:
            check_lambda(AwsLambda(**{key: value}), "sentiment")
        assert raised.value.remedy
        assert "canary" not in f"{raised.value} {vars(raised.value)}"


def test_a_name_with_dots_becomes_one_that_aws_takes():
    assert check_lambda(AwsLambda(), "credit.risk-2") == "mlopskit-credit-risk-2"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", {}),
        ("START RequestId: 1\nEND RequestId: 1\n", {}),
        ("REPORT RequestId: 1\tDuration: 3.10 ms\tMax Memory Used: 45 MB\t\n", {"memory_mb": 45.0}),
        ("REPORT RequestId: 1\tDuration: x ms\tMax Memory Used: -1 MB\tInit Duration: 1e9 ms\t\n", {}),
        (
            (
                "REPORT RequestId: 0\tDuration: 9 ms\tInit Duration: 9 ms\n"
                "REPORT RequestId: 1\tDuration: 2 ms\tMax Memory Used: 40 MB\tInit Duration: 80.5 ms\t\nXRAY TraceId: 1"
            ),
            {"memory_mb": 40.0, "cold_start_ms": 82.5},
        ),
    ],
)
def test_what_aws_measured_is_read_from_the_last_report(log, expected):
    assert measured(log) == expected
