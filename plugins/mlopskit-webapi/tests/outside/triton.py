"""Ask a server by the public client of Triton, and say as JSON what it was told: python triton.py HOST:PORT."""

import json
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

client = triton.InferenceServerClient(sys.argv[1])
about = client.get_model_metadata("shop")
version = about["versions"][0]
found = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "server": client.get_server_metadata()["extensions"],
    "about": about,
    "model ready": [client.is_model_ready("shop"), client.is_model_ready("shop", version)],
    "no such model": client.is_model_ready("other"),
}


def inputs(*, binary):
    for name, datatype, cells in (
        ("text", "BYTES", np.array([b"a", "\u00fc\n".encode()], dtype=np.object_)),
        ("number", "FP64", np.array([1.5, -2.0])),
        ("whole", "INT64", np.array([3, 4])),
    ):
        one = triton.InferInput(name, [2], datatype)
        one.set_data_from_numpy(cells, binary_data=binary)
        yield one


def asked(*, binary, **given):
    outputs = [triton.InferRequestedOutput("prediction", binary_data=binary)]
    answer = client.infer("shop", [*inputs(binary=binary)], outputs=outputs, request_id="mine", **given)
    said = answer.get_response()
    return answer.as_numpy("prediction").tolist(), said["model_version"], said["id"]


found["json"] = asked(binary=False)
found["binary"] = asked(binary=True)
found["by digest"] = asked(binary=True, model_version=version)
try:
    client.infer("shop", [next(inputs(binary=True))])
except InferenceServerException as error:
    found["refused"] = [str(error.status()), error.message()]
client.close()
print(json.dumps(found))  # noqa: T201  # for the test that started it
