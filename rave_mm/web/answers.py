"""What requests ask for, and how they are refused: with a sentence."""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_LARGEST_SETTINGS = 4096


async def settings_of(request: Request) -> Any:
    """The JSON that a request has as its body.

    Raises:
        HTTPException: It has more than settings would take.
        ValueError: It is no JSON.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_SETTINGS:
            raise HTTPException(413, f"expected at most {_LARGEST_SETTINGS} bytes of settings")
    return json.loads(body)


def refused(status: int, why: str) -> Response:
    """An answer that says why there is none."""
    return JSONResponse({"error": why}, status)


async def tell(request: Request, error: Exception) -> Response:
    """The answer to a request that ended with an :class:`HTTPException`."""
    assert isinstance(error, HTTPException)
    return refused(error.status_code, error.detail)


def visitor_of(request: Request) -> str:
    """The visitor that a request names.

    Raises:
        HTTPException: It names none.
    """
    identity = request.query_params.get("visitor", "")
    if not 16 <= len(identity) <= 64:
        raise HTTPException(422, "expected a visitor of 16 to 64 characters, as the page has one")
    return identity


def number_of(request: Request, name: str, default: float | None = None) -> float:
    """A number that a request names.

    Raises:
        HTTPException: It is none, or is not named and has no default.
    """
    given = request.query_params.get(name)
    if given is None and default is not None:
        return default
    try:
        number = float(given or "")
    except ValueError:
        number = float("nan")
    if not abs(number) < 1e9:  # nor if it is NaN
        raise HTTPException(422, f"got {name}={given}; expected a number")
    return number
