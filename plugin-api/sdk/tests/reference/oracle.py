"""Answers calls with the reference SDK.

Reads one JSON object a line from standard input, {"integration", "capability", "body"}, and writes the answer of each
as one line: the JSON that the reference gives, after `comparable`. {"name"} asks whether a custom capability can have
that name.
"""

import asyncio
import json
import logging
import sys

import declarations
from comparable import comparable


async def answer(call):
    if "name" in call:
        return json.dumps({"accepted": declarations.accepts(call["name"])})
    integration = declarations.INTEGRATIONS[call["integration"]]
    if call["capability"] == "info":
        # The command line answers it beside the dispatcher.
        return integration.info().model_dump_json()
    return await integration.dispatch(call["capability"], call["body"])


def main():
    logging.disable(logging.CRITICAL)
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            text = runner.run(answer(json.loads(line)))
            print(json.dumps(comparable(json.loads(text))), flush=True)


if __name__ == "__main__":
    main()
