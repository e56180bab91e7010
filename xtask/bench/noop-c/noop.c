/*
 * A connector that does nothing: it answers with bytes that were put into it when it was compiled, SHORT_ANSWER to
 * validate_credentials and LONG_ANSWER to list_accounts (names of files), and is called APP_ID.
 */
#include <string.h>

#include "lumos_connector.h"

#define EMBED(symbol, file)                                                                                           \
    __asm__(".section .rodata\n" #symbol ":\n.incbin \"" file "\"\n" #symbol "_end:\n.byte 0\n.previous\n");           \
    extern const uint8_t symbol[] __attribute__((visibility("hidden")));                                              \
    extern const uint8_t symbol##_end[] __attribute__((visibility("hidden")))

EMBED(short_answer, SHORT_ANSWER);
EMBED(long_answer, LONG_ANSWER);

struct lumos_instance {
    const lumos_host *host;
};

static struct lumos_instance the_instance;

static lumos_status create(const lumos_host *host, lumos_call call, lumos_bytes config, lumos_instance **instance) {
    (void)call, (void)config;
    the_instance.host = host;
    *instance = &the_instance;
    return LUMOS_OK;
}

static int is(lumos_bytes bytes, const char *s) {
    return bytes.len == strlen(s) && memcmp(bytes.ptr, s, bytes.len) == 0;
}

static lumos_status invoke(lumos_instance *instance, const lumos_request *request) {
    static const char info[] = "{\"response\": {\"app_id\": \"" APP_ID "\"}}";
    lumos_bytes answer;
    if (is(request->capability, "validate_credentials")) {
        answer = (lumos_bytes){short_answer, (uint64_t)(short_answer_end - short_answer)};
    } else if (is(request->capability, "list_accounts")) {
        answer = (lumos_bytes){long_answer, (uint64_t)(long_answer_end - long_answer)};
    } else if (is(request->capability, "info")) {
        answer = (lumos_bytes){(const uint8_t *)info, sizeof info - 1};
    } else {
        return LUMOS_ERR_UNSUPPORTED;
    }
    instance->host->finish(instance->host, request->call, LUMOS_OK, answer);
    return LUMOS_OK;
}

static void cancel(lumos_instance *instance, lumos_call call, int32_t reason) {
    (void)instance, (void)call, (void)reason;
}

static void nothing(lumos_instance *instance) {
    (void)instance;
}

static const char manifest[] = "{\"app_id\": \"" APP_ID "\", \"version\": \"1.0.0\"}";

static const lumos_connector table = {
    .magic = LUMOS_CONNECTOR_MAGIC,
    .struct_size = sizeof(lumos_connector),
    .abi_major = LUMOS_ABI_MAJOR,
    .abi_minor = LUMOS_ABI_MINOR,
    .manifest_json = {(const uint8_t *)manifest, sizeof manifest - 1},
    .create = create,
    .invoke = invoke,
    .cancel = cancel,
    .quiesce = nothing,
    .destroy = nothing,
};

LUMOS_EXPORT const lumos_connector *LUMOS_CALL lumos_connector_entry_v1(void) {
    return &table;
}
