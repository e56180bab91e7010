"""One TLS context for all of httpx's clients.

The reference SDK makes a client for each call, and each makes a TLS context of its own, for which it reads the certificates of
all authorities. That takes most of the time of a call, and does not change its answer.
"""

import functools

import httpx._transports.default as transports


def share():
    transports.create_ssl_context = functools.cache(transports.create_ssl_context)
