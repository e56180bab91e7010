"""The form in which answers of the reference SDK are compared with ours."""

import ast

PREFIX = "Invalid request - "


def comparable(answer):
    """Takes out of validation messages what no answer of ours repeats: the input, and links to pydantic's pages."""
    error = answer.get("error")
    if not isinstance(error, dict) or not error["message"].startswith(PREFIX):
        return answer
    try:
        mistakes = ast.literal_eval(error["message"][len(PREFIX):])
    except (ValueError, SyntaxError):
        return answer
    for mistake in mistakes:
        mistake.pop("input", None)
        mistake.pop("url", None)
    error["message"] = PREFIX + repr(mistakes)
    return answer
