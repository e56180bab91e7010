/*
 * lumos_connector.h: the C interface between the Lumos agent and a connector.
 *
 * This file is the contract's source of truth. A connector is a shared library (.so, .dll) that exports ONE symbol,
 * lumos_connector_entry_v1. The agent loads a private copy of the library into a host process, reads the connector
 * table that the symbol returns, creates one instance and then calls capabilities on it for as long as the
 * library stays installed. Requests and answers are the JSON documents of the Lumos Connector API, as UTF-8 bytes.
 *
 * A connector's life, in the order in which the host calls:
 *
 *     lumos_connector_entry_v1()        once, straight after loading; must be cheap and have no side effect
 *     create()                          once; makes the instance
 *     invoke() ...  cancel() ...        many times, from many threads, up to the manifest's max_concurrency at once
 *     quiesce()                         once; no invoke will follow; calls in flight may still finish
 *     destroy()                         once, after every call has finished; the library stays mapped until exit
 *
 * The process may also end without quiesce and destroy (a crash, a kill, a call that never finishes): keep nothing in
 * memory that must survive.
 *
 * CONVENTIONS
 *   Platform     64-bit little-endian targets only. The calling convention is C; LUMOS_CALL names it on Windows.
 *   Types        Fixed-width integers and pointers only. No C enum, no bool, no bit-field crosses the interface.
 *   Strings      lumos_bytes: UTF-8, NOT NUL-terminated. A pointer may be NULL where its length is 0.
 *   Lifetime     Every pointer is borrowed: valid until the function that received it returns, and no longer. Copy what
 *                you keep. Exceptions, valid until the process exits: the host table, the connector table and what they
 *                point to (manifest, extensions).
 *   Ownership    Each side frees only what it allocated. Nothing is handed over, so there is no free function: answers
 *                are pushed through host->finish, which copies.
 *   Threads      Said for every function. "Any thread" includes threads that the connector started.
 *   Unwinding    No C++ exception, no Rust panic and no longjmp may leave a function of this interface.
 *   Versioning   A break of this contract is a new entry symbol. A newer minor version only appends members to the end
 *                of a struct: read min(struct_size, sizeof your own) bytes and treat the rest as zero. A newer minor on
 *                the other side is never an error.
 *   Standard     C11 and C++17. Only <stdint.h> is included.
 *
 * Everything is prefixed lumos_ or LUMOS_.
 */
#ifndef LUMOS_CONNECTOR_H
#define LUMOS_CONNECTOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------ version, linkage */

/* The ABI that this header describes. */
#define LUMOS_ABI_MAJOR 1u
#define LUMOS_ABI_MINOR 0u

/* First member of every connector table: the bytes "LUMOSCN1" read as a little-endian integer. */
#define LUMOS_CONNECTOR_MAGIC UINT64_C(0x314E43534F4D554C)

/* Name of the entry symbol, for dlsym() and GetProcAddress(). */
#define LUMOS_ENTRY_SYMBOL "lumos_connector_entry_v1"

#if defined(_WIN32)
#define LUMOS_CALL __cdecl
#define LUMOS_EXPORT __declspec(dllexport)
#else
#define LUMOS_CALL
#define LUMOS_EXPORT __attribute__((visibility("default")))
#endif

/* ------------------------------------------------------------------------------------------------------ basic types */

/* A borrowed run of UTF-8 bytes. `ptr` may be NULL if `len` is 0. `len` counts bytes. */
typedef struct lumos_bytes {
    const uint8_t *ptr;
    uint64_t len;
} lumos_bytes;

/*
 * Outcome of a function: 0 done, 1 pending, below 0 an error. Values are constants, never a C enum. An error that is
 * not listed here is treated as LUMOS_ERR_INTERNAL.
 */
typedef int32_t lumos_status;

#define LUMOS_OK 0               /* finished; the answer, if one is due, has been given to host->finish */
#define LUMOS_PENDING 1          /* invoke only: host->finish will be called exactly once, later */
#define LUMOS_ERR_INTERNAL (-1)     /* the connector failed; its own fault.           error_code internal_error */
#define LUMOS_ERR_BAD_REQUEST (-2)  /* the request is not acceptable.                 error_code bad_request */
#define LUMOS_ERR_UNSUPPORTED (-3)  /* no such capability.                            error_code not_implemented */
#define LUMOS_ERR_CANCELLED (-4)    /* stopped because is_cancelled or cancel said so. error_code request_timeout */
#define LUMOS_ERR_UNAVAILABLE (-5)  /* cannot serve now, may later.                   error_code service_error */

/*
 * Identifies one call. Never a pointer, never used twice in a process. 0 is the connector's own life cycle: log lines
 * that belong to no call carry 0.
 */
typedef uint64_t lumos_call;

/* Log levels, those of the Connector SDK guide. Any other value is taken as the next lower of these. */
#define LUMOS_LOG_DEBUG 10
#define LUMOS_LOG_INFO 20
#define LUMOS_LOG_WARNING 30
#define LUMOS_LOG_ERROR 40
#define LUMOS_LOG_CRITICAL 50

/* Why a call is cancelled. */
#define LUMOS_CANCEL_CALLER_GONE 1 /* the caller closed its connection (reads only) */
#define LUMOS_CANCEL_DEADLINE 2    /* the caller's deadline or the connector's timeout has passed */
#define LUMOS_CANCEL_SHUTDOWN 3    /* the host is about to end */

/* What create makes. The connector defines the struct; the host only hands the pointer back. */
typedef struct lumos_instance lumos_instance;

/* ------------------------------------------------------------------------------------------------------- host table */

typedef struct lumos_host lumos_host;

/*
 * What the host offers to the connector. Given to create; valid until the process exits. Every function takes the table
 * itself as its first argument, may be called from any thread, at any time from create's entry on, also concurrently.
 * None of them blocks, and none calls back into the connector.
 */
struct lumos_host {
    uint32_t struct_size; /* bytes of this struct as the host knows it */
    uint32_t abi_major;   /* LUMOS_ABI_MAJOR of the host */
    uint32_t abi_minor;   /* LUMOS_ABI_MINOR of the host */
    uint32_t reserved;    /* 0 */
    void *ctx;            /* the host's own; do not touch */

    /*
     * Writes one line to the connector's log. `call` ties the line to a call, 0 to none. `msg` is copied; it should be
     * one line of UTF-8 and may be cut (8 KiB). Secrets of calls in flight are masked, control characters escaped and a
     * flood is dropped and counted: never rely on a line for anything but reading.
     */
    void(LUMOS_CALL *log)(const lumos_host *host, lumos_call call, int32_t level, lumos_bytes msg);

    /*
     * Ends a call with its answer. `result` is copied before the function returns.
     *
     *   status LUMOS_OK  `result` is the complete JSON answer of the Lumos Connector API: a success, or an error
     *                    envelope ({"is_error": true, ...}) made by the connector itself. It is handed on byte for byte.
     *   status < 0       `result` is a message for people, not JSON, or empty. The host makes the error envelope.
     *
     * Inside create, finish(host, call, status < 0, message) with create's call id says why create fails.
     * A second finish, a finish after the call was given up, or one for an unknown call is ignored and counted.
     */
    void(LUMOS_CALL *finish)(const lumos_host *host, lumos_call call, lumos_status status, lumos_bytes result);

    /* 1 if nobody waits for the call's answer any more, or the call is unknown or finished; otherwise 0. Cheap. */
    int32_t(LUMOS_CALL *is_cancelled)(const lumos_host *host, lumos_call call);

    /*
     * A further table of functions by its name and revision, "name/rev" (such as "http/1"), or NULL if this host does
     * not have it. The result's type is defined by the extension; it lives until the process exits.
     */
    const void *(LUMOS_CALL *get_extension)(const lumos_host *host, lumos_bytes name);
};

/* ---------------------------------------------------------------------------------------------------------- request */

/* One call of a capability. The struct and all it points to are borrowed until invoke returns. */
typedef struct lumos_request {
    uint32_t struct_size;   /* bytes of this struct as the host knows it */
    uint32_t flags;         /* 0; unknown bits are to be ignored */
    lumos_call call;        /* the id to finish this call with */
    uint64_t timeout_ms;    /* time left, in milliseconds, at least 1; UINT64_MAX means no limit */
    lumos_bytes capability; /* such as "list_accounts"; "info" is one too */
    lumos_bytes body_json;  /* the request document; syntactically valid JSON, or empty for none */
    lumos_bytes trace;      /* W3C traceparent to pass on to the app, or empty */
} lumos_request;

/* -------------------------------------------------------------------------------------------------- connector table */

typedef struct lumos_connector lumos_connector;

/*
 * What the connector offers to the host; the entry function returns a pointer to it. Constant for the life of the
 * process. No function may be NULL but get_extension.
 */
struct lumos_connector {
    uint64_t magic;       /* LUMOS_CONNECTOR_MAGIC */
    uint32_t struct_size; /* sizeof(lumos_connector) as compiled */
    uint32_t abi_major;   /* LUMOS_ABI_MAJOR as compiled */
    uint32_t abi_minor;   /* LUMOS_ABI_MINOR as compiled */
    uint32_t reserved;    /* 0 */

    /*
     * A JSON object that describes the library without running it (at most 64 KiB):
     *
     *   app_id           string, required. [A-Za-z0-9][A-Za-z0-9_-]{0,63}, no "__", the same as in the answer to info.
     *   version          string, required. Semantic version; of two libraries of one app_id the higher is served.
     *   abi              string, optional. "major.minor" as compiled.
     *   requires         array of strings, optional. Host extensions ("name/rev") without which the connector cannot run;
     *                    the host refuses the library if it lacks one.
     *   max_concurrency  integer, optional, default 32. The most calls of invoke at the same time.
     *   isolation        string, optional. "process" (default) or "in-process": what the library was made for. A hint;
     *                    the agent's configuration decides. In-process, builds that replace each other live in one
     *                    process, so that data symbols which the loader keeps once for all (STB_GNU_UNIQUE, which C++
     *                    compilers emit) are refused: -fno-gnu-unique, or a version script, does without.
     *   idempotent       array of strings, optional. Write capabilities that may be repeated without harm.
     *   levels           object, optional. Custom capability name -> "read" or "write". Custom ones default to write.
     */
    lumos_bytes manifest_json;

    /*
     * Makes the one instance. Called once, before anything else, on one thread. `config_json` is an object with the
     * agent's settings for this connector ({} if it has none). On LUMOS_OK `*instance` is the new instance and must not
     * be NULL. On an error nothing was made; say why with host->finish(host, call, status, message). Must not block for
     * long: the host gives up after its start time-out (30 s).
     */
    lumos_status(LUMOS_CALL *create)(const lumos_host *host, lumos_call call, lumos_bytes config_json,
                                     lumos_instance **instance);

    /*
     * Runs one capability. Called from any of the host's threads, concurrently, up to max_concurrency at once. May block
     * its thread. Returns
     *
     *   LUMOS_OK       host->finish has been called for request->call
     *   LUMOS_PENDING  host->finish will be called exactly once, from any thread
     *   < 0            host->finish has not been and will not be called; the host makes the error envelope
     */
    lumos_status(LUMOS_CALL *invoke)(lumos_instance *instance, const lumos_request *request);

    /*
     * Tells that a call's answer is no longer wanted; `reason` is one of LUMOS_CANCEL_*. A hint that must return at
     * once. May come from any thread, while invoke runs, after it returned LUMOS_PENDING, and in a race with finish or
     * after it. It does not replace finish: the call still has to end.
     */
    void(LUMOS_CALL *cancel)(lumos_instance *instance, lumos_call call, int32_t reason);

    /*
     * No invoke will follow. Stop background work; calls in flight go on to their finish. Called once, on any thread,
     * concurrently with calls in flight. Must return promptly.
     */
    void(LUMOS_CALL *quiesce)(lumos_instance *instance);

    /*
     * Frees the instance. Called once, after quiesce and after every call has finished, on any thread. No thread of the
     * connector may call the host afterwards. If calls do not end in time, destroy is skipped and the process ends; a
     * connector that runs inside the agent itself is left as it is instead, and what it still finishes is ignored.
     */
    void(LUMOS_CALL *destroy)(lumos_instance *instance);

    /* A further table by "name/rev", or NULL if the connector has none of that name. The member itself may be NULL. */
    const void *(LUMOS_CALL *get_extension)(lumos_instance *instance, lumos_bytes name);
};

/* ------------------------------------------------------------------------------------------------------------ entry */

/*
 * The one exported symbol. Called once, before any other function, on one thread. Returns the connector table, valid
 * until the process exits. Must not start threads, open files or connections, or read the environment: it also runs
 * when the agent only inspects a library.
 */
LUMOS_EXPORT const lumos_connector *LUMOS_CALL lumos_connector_entry_v1(void);

/* --------------------------------------------------------------------------------------------------- layout, guarded */

#if defined(__cplusplus)
#define LUMOS_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define LUMOS_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

/* offsetof without <stddef.h>; GCC, Clang and MSVC evaluate it as a constant. */
#if defined(__GNUC__) || defined(__clang__)
#define LUMOS_OFFSET(type, member) __builtin_offsetof(type, member)
#else
#define LUMOS_OFFSET(type, member) ((uint64_t)(uintptr_t) & (((type *)0)->member))
#endif

LUMOS_STATIC_ASSERT(sizeof(void *) == 8, "the Lumos connector ABI is for 64-bit targets");
#if defined(__BYTE_ORDER__)
LUMOS_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the Lumos connector ABI is for little-endian targets");
#endif

LUMOS_STATIC_ASSERT(sizeof(lumos_bytes) == 16, "layout of lumos_bytes");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_bytes, len) == 8, "layout of lumos_bytes");

LUMOS_STATIC_ASSERT(sizeof(lumos_request) == 72, "layout of lumos_request");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_request, call) == 8, "layout of lumos_request");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_request, timeout_ms) == 16, "layout of lumos_request");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_request, capability) == 24, "layout of lumos_request");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_request, body_json) == 40, "layout of lumos_request");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_request, trace) == 56, "layout of lumos_request");

LUMOS_STATIC_ASSERT(sizeof(lumos_host) == 56, "layout of lumos_host");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_host, ctx) == 16, "layout of lumos_host");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_host, log) == 24, "layout of lumos_host");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_host, finish) == 32, "layout of lumos_host");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_host, is_cancelled) == 40, "layout of lumos_host");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_host, get_extension) == 48, "layout of lumos_host");

LUMOS_STATIC_ASSERT(sizeof(lumos_connector) == 88, "layout of lumos_connector");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_connector, struct_size) == 8, "layout of lumos_connector");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_connector, manifest_json) == 24, "layout of lumos_connector");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_connector, create) == 40, "layout of lumos_connector");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_connector, invoke) == 48, "layout of lumos_connector");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_connector, cancel) == 56, "layout of lumos_connector");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_connector, quiesce) == 64, "layout of lumos_connector");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_connector, destroy) == 72, "layout of lumos_connector");
LUMOS_STATIC_ASSERT(LUMOS_OFFSET(lumos_connector, get_extension) == 80, "layout of lumos_connector");

#ifdef __cplusplus
}
#endif

#endif /* LUMOS_CONNECTOR_H */
