"""Times calls of the tutorial's connector with the reference SDK, in an interpreter that stays.

    reference.py DIRECTORY as-it-is|shared-tls      where mockapp_connector is, and whether all calls share a TLS context

Reads one JSON object a line, {"capability", "body", "times"}. Makes so many calls and writes as one line the seconds that each
took, and the last answer.
"""

import asyncio
import json
import logging
import sys
import time

sys.path.append(sys.argv[1])

from mockapp_connector.integration import declared
from shared_tls import share


async def measure(integration, call):
    seconds = []
    for _ in range(call["times"]):
        begun = time.perf_counter()
        answer = await integration.dispatch(call["capability"], call["body"])
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds, "answer": json.loads(answer)}


def main():
    logging.disable(logging.CRITICAL)
    # It asks no level.
    logging.getLogger("integration-connectors.sdk.api_response").disabled = True
    if sys.argv[2] == "shared-tls":
        share()
    integration = declared("0.1.0")
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            print(json.dumps(runner.run(measure(integration, json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
