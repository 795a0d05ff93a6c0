"""Answers the page's requests about photographs."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from rave_mm.inference.light_map_strength import check_strength
from rave_mm.inference.photo_outcome import failures, told
from rave_mm.inference.windows import Window
from rave_mm.photos.errors import UnreadablePhotoError
from rave_mm.web.album import Item
from rave_mm.web.answers import number_of, refused, settings_of, visitor_of
from rave_mm.web.downloads import zip_of
from rave_mm.web.uploads import UploadError, most_bytes, receive, safe_name, with_extension
from rave_mm.web.views import SCREEN_SIDE
from rave_mm.web.visits import Visits
from rave_mm.web.workbench import KINDS

STRONGEST = 3.0
"""The largest strength that the page offers."""

T = TypeVar("T")


class Desk:
    """Answers about photographs; what takes a while runs in threads.

    Args:
        visits: Who has the page open, with the album and the workbench.
    """

    def __init__(self, visits: Visits) -> None:
        self.visits = visits
        self.album, self.workbench = visits.album, visits.workbench
        # What somebody waits for in front of the screen does not queue behind results of full size,
        # which may take the memory of a whole photograph each.
        self._at_once, self._results = CapacityLimiter(2), CapacityLimiter(1)

    def routes(self) -> list[Route]:
        """The addresses below `/api`."""
        one = "/photos/{identity}"
        return [
            Route("/settings", self.settings),
            Route("/photos", self.list_photos),
            Route("/photos", self.upload, methods=["POST"]),
            Route("/events", self.events),
            Route("/results.zip", self.download_all),
            Route(one, self.show),
            Route(one, self.change, methods=["PATCH"]),
            Route(one, self.remove, methods=["DELETE"]),
            Route(one + "/figures", self.figures),
            Route(one + "/part/{kind}", self.part),
            Route(one + "/result", self.download),
            Route(one + "/{kind}", self.picture),
        ]

    async def settings(self, request: Request) -> Response:
        """What the page must know before it shows anything."""
        return JSONResponse(
            {
                "enhancers": list(self.workbench.enhancers),
                "screen_side": SCREEN_SIDE,
                "strongest": STRONGEST,
                "most_bytes": most_bytes(self.workbench.max_pixels),
                "max_pixels": self.workbench.max_pixels,
            }
        )

    async def list_photos(self, request: Request) -> Response:
        """The photographs that a visitor sees."""
        return JSONResponse([item.told() for item in self.album.of(visitor_of(request))])

    async def upload(self, request: Request) -> Response:
        """Take a photograph in: its file is the body, its name in the address."""
        owner = visitor_of(request)
        length = request.headers.get("content-length")
        announced = int(length) if length and length.isdigit() else None
        name = safe_name(request.query_params.get("name", ""))
        try:
            with self.album.adding(owner, name) as item:
                most = most_bytes(self.workbench.max_pixels)
                await receive(request.stream(), item.path, announced, most)
                item.path = with_extension(item.path)
                await to_thread.run_sync(self.workbench.open, item, limiter=self._at_once)
        except UploadError as error:
            return refused(error.status, str(error))
        except ClientDisconnect:
            return refused(400, "the upload broke off")
        except failures() as error:
            return refused(415, told(error))
        self.visits.prepare(item)
        return JSONResponse(item.told(), 201)

    async def events(self, request: Request) -> Response:
        """Tell a page what becomes of its photographs, for as long as it is open."""
        events = self.visits.events(visitor_of(request))
        return StreamingResponse(events, media_type="text/event-stream")

    async def show(self, request: Request) -> Response:
        """What its header says of a photograph."""
        item = self._item(request)
        await self._made(self._at_once, item, partial(self.workbench.open, item))
        return JSONResponse(item.told())

    async def change(self, request: Request) -> Response:
        """Keep the strength and the enhancer that a photograph is downloaded with."""
        item = self._item(request)
        try:
            wanted = await settings_of(request)
            strength, name = float(wanted["strength"]), str(wanted["enhancer"])
            check_strength(strength)
        except (ValueError, KeyError, TypeError) as error:
            return refused(422, f"expected a strength and an enhancer: {error}")
        self._check_enhancer(name)
        item.strength, item.enhancer = strength, name
        return JSONResponse(item.told())

    async def remove(self, request: Request) -> Response:
        """Remove an upload; a photograph of the folder stays."""
        item = self._item(request)
        if item.owner is None:
            return refused(403, f"{item.path.name} is of the folder that the server shows")
        self.visits.forget(item)
        return Response(status_code=204)

    async def picture(self, request: Request) -> Response:
        """A whole photograph, its result or its light map, as large as a screen."""
        item, kind = self._item(request), _kind(request)
        side = number_of(request, "side", SCREEN_SIDE)
        if not 1 <= side <= SCREEN_SIDE:
            return refused(422, f"got side={side:g}; expected 1 to {SCREEN_SIDE}")
        make = partial(
            self.workbench.picture, item, kind, self._enhancer(request, item),
            number_of(request, "strength", 1), round(side),
        )  # fmt: skip
        return await self._jpeg(item, make)

    async def part(self, request: Request) -> Response:
        """A part of a photograph or of its result, in its own pixels."""
        item, kind = self._item(request), _kind(request)
        left, top, width, height = (
            round(number_of(request, name)) for name in ("left", "top", "width", "height")
        )
        make = partial(
            self.workbench.part, item, kind, self._enhancer(request, item),
            number_of(request, "strength", 1), Window(top, top + height, left, left + width),
            number_of(request, "scale", 1),
        )  # fmt: skip
        return await self._jpeg(item, make)

    async def _jpeg(self, item: Item, make: Callable[[], bytes]) -> Response:
        picture = await self._made(self._at_once, item, make)
        # The address says all that it depends on.
        kept = {"cache-control": "private, max-age=3600, immutable"}
        return Response(picture, media_type="image/jpeg", headers=kept)

    async def figures(self, request: Request) -> Response:
        """What is measured of a photograph and its result."""
        item = self._item(request)
        name, strength = self._enhancer(request, item), number_of(request, "strength", 1)
        make = partial(self.workbench.figures, item, name, strength)
        return JSONResponse(await self._made(self._at_once, item, make))

    async def download(self, request: Request) -> Response:
        """A result of full size."""
        item = self._item(request)
        name = self._enhancer(request, item)
        make = partial(
            self.workbench.result, item, name, number_of(request, "strength", item.strength)
        )
        path = await self._made(self._results, item, make)
        return FileResponse(path, filename=path.name)

    async def download_all(self, request: Request) -> Response:
        """The results of all of a visitor's photographs, or of those that are named, as ZIP."""
        items = self.album.of(visitor_of(request))
        if chosen := request.query_params.getlist("photo"):
            items = [item for item in items if item.identity in chosen]

        async def result(item: Item) -> Path | str:
            make = partial(self.workbench.result, item, item.enhancer, item.strength)
            try:
                return await to_thread.run_sync(make, limiter=self._results)
            except failures() as error:
                return told(error)

        return StreamingResponse(
            zip_of(items, result),
            media_type="application/zip",
            headers={"content-disposition": 'attachment; filename="enhanced.zip"'},
        )

    def _item(self, request: Request) -> Item:
        item = self.album.get(request.path_params["identity"])
        if item is None:
            raise HTTPException(404, "there is no such photo any more; drop it on the page again")
        return item

    def _enhancer(self, request: Request, item: Item) -> str:
        return self._check_enhancer(request.query_params.get("enhancer", item.enhancer))

    def _check_enhancer(self, name: str) -> str:
        if name not in self.workbench.enhancers:
            known = ", ".join(self.workbench.enhancers)
            raise HTTPException(422, f"got the enhancer {name!r}; expected one of {known}")
        return name

    async def _made(self, limiter: CapacityLimiter, item: Item, make: Callable[[], T]) -> T:
        """What is made in a thread, with its failures told."""
        try:
            return await to_thread.run_sync(make, limiter=limiter)
        except UnreadablePhotoError as error:
            raise HTTPException(415, error.reason) from error
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        except failures() as error:
            if self.album.get(item.identity) is None:
                raise HTTPException(404, "the photo was removed") from error
            raise HTTPException(500, told(error)) from error


def _kind(request: Request) -> str:
    kind = request.path_params["kind"]
    if kind not in KINDS:
        raise HTTPException(404, f"got {kind!r}; expected one of {', '.join(KINDS)}")
    return kind
