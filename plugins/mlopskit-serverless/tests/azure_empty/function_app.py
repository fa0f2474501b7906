"""A function that does nothing: what its worker takes by itself."""

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="{*path}")
def answer(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("")
