"""Answers calls of the tutorial's connector with the reference SDK.

    answer.py VERSION DIRECTORY     the connector's version; where comparable.py is

Reads one JSON object a line, {"capability", "body"}, and writes the answer of each as one line.
"""

import asyncio
import json
import logging
import sys

sys.path.append(sys.argv[2])

from comparable import comparable
from mockapp_connector.integration import declared
from shared_tls import share


async def answer(integration, call):
    if call["capability"] == "info":
        # The command line answers it beside the dispatcher.
        return integration.info().model_dump_json()
    return await integration.dispatch(call["capability"], call["body"])


def main():
    logging.disable(logging.CRITICAL)
    # It asks no level.
    logging.getLogger("integration-connectors.sdk.api_response").disabled = True
    share()
    integration = declared(sys.argv[1])
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            text = runner.run(answer(integration, json.loads(line)))
            print(json.dumps(comparable(json.loads(text))), flush=True)


if __name__ == "__main__":
    main()
