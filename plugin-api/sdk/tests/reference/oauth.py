"""Answers calls of OAuth's capabilities with the reference SDK.

Reads one JSON object a line: how the connector declares OAuth, and a call. Writes the answer as one line.
"""

import asyncio
import json
import logging
import sys

from connector.oai.integration import DescriptionData, Integration
from connector.oai.modules.oauth_module_types import (
    ClientAuthenticationMethod,
    OAuthFlowType,
    OAuthRequest,
    OAuthSettings,
    RequestDataType,
    RequestMethod,
)
from connector_sdk_types.generated import AppCategory, OAuthCredential


def integration(declared):
    return Integration(
        app_id="oauth",
        version="1.0.0",
        auth=OAuthCredential,
        exception_handlers=[],
        description_data=DescriptionData(
            user_friendly_name="OAuth", categories=[AppCategory.OTHER]
        ),
        oauth_settings=OAuthSettings(
            authorization_url=declared["url"] + "/authorize",
            token_url=declared["url"] + "/token",
            scopes={"list_accounts": "read", "get_account": "read"},
            flow_type=OAuthFlowType(declared["flow"]),
            client_auth=ClientAuthenticationMethod(
                "CLIENT_SECRET_BASIC" if declared["basic"] else "CLIENT_SECRET_POST"
            ),
            request_type=OAuthRequest(
                method=RequestMethod("GET" if declared["get"] else "POST"),
                data=RequestDataType(declared["data"]),
            ),
        ),
    )


async def answer(question):
    connector = integration(question["declared"])
    if question["capability"] == "info":
        return connector.info().model_dump_json()
    return await connector.dispatch(question["capability"], json.dumps(question["body"]))


def main():
    logging.disable(logging.CRITICAL)
    # It asks no level.
    logging.getLogger("integration-connectors.sdk.api_response").disabled = True
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            print(json.dumps(json.loads(runner.run(answer(json.loads(line))))), flush=True)


if __name__ == "__main__":
    main()
