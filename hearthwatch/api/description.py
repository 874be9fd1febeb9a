"""The API's description (OpenAPI 3.1): made by the framework from the handlers, and what they leave open."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

import msgspec
from litestar import Request, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from casework.cases.commands import DATA
from hearthwatch import __version__
from hearthwatch.api.access import PUBLIC

_BODY: Final = "CommandAsked"


class _Document(JsonRenderPlugin):
    """The document, with the data of each command."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """See the base class."""
        return self.render_json(request, with_commands(openapi_schema))


def config() -> OpenAPIConfig:
    """What the description says beside the routes, and where it is."""
    return OpenAPIConfig(
        title="hearthwatch",
        version=__version__,
        description="Cases, households, warnings and changes. Each caller sees only their own communities, "
        "and every look is put on record before it is answered.",
        # Litestar answers whatever else is under this address itself, with a page of its own: so nothing is.
        openapi_router=Router(
            "/v1/openapi.json", route_handlers=[], opt=dict(PUBLIC), include_in_schema=False
        ),
        render_plugins=[_Document(path="/")],
        use_handler_docstrings=True,
        components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")}),
        security=[{"token": []}],
    )


def with_commands(document: dict[str, Any]) -> dict[str, Any]:
    """The document with one form of a command's body for each command.

    The handler takes any ``data``, because a command whose data are wrong has to end in an event, as from
    everywhere else; who writes a client wants to know what belongs to which command.
    """
    document = deepcopy(document)
    schemas = document["components"]["schemas"]
    refs, kinds = msgspec.json.schema_components(
        DATA.values(), ref_template="#/components/schemas/{name}Data"
    )
    schemas |= {f"{name}Data": schema for name, schema in kinds.items()}
    plain = schemas[_BODY]
    schemas[_BODY] = {
        "title": plain["title"],
        "oneOf": [
            {
                "type": "object",
                "properties": {
                    **plain["properties"],
                    "command": {"const": command},
                    "data": ref,
                },
                "required": plain["required"],
            }
            for command, ref in zip(DATA, refs, strict=True)
        ],
    }
    return document
