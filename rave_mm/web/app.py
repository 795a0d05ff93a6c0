"""The page's application: which address is answered by what."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from rave_mm.web.answers import tell
from rave_mm.web.desk import Desk
from rave_mm.web.records import Records

_PAGES = Path(__file__).with_name("pages")
_COMPONENT = Path(__file__).parents[1] / "evaluation" / "before_after"


def build_app(desk: Desk, records: Records) -> Starlette:
    """The application without its guard.

    Args:
        desk: What answers about photographs.
        records: What answers about runs.
    """
    return Starlette(
        routes=[
            Route("/", _page("index.html")),
            Route("/runs", _page("runs.html")),
            Mount("/api/runs", routes=records.routes()),
            Mount("/api", routes=desk.routes()),
            Mount("/component", StaticFiles(directory=_COMPONENT)),
            Mount("/pages", StaticFiles(directory=_PAGES)),
        ],
        exception_handlers={HTTPException: tell},
    )


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return FileResponse(_PAGES / name, headers={"cache-control": "no-cache"})

    return answer
