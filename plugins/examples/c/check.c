/*
 * Tests for example_c.c: a host of a few lines that calls the connector directly. Compile both files into one program
 * and run it; it prints what fails and exits with 1.
 */
#include "lumos_connector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char result[8192];
static lumos_status result_status;
static int finished, logged, cancelled, failures;

static void LUMOS_CALL on_log(const lumos_host *host, lumos_call call, int32_t level, lumos_bytes msg) {
    (void)host, (void)call, (void)level;
    logged++;
    if (msg.len > 0 && memchr(msg.ptr, '\n', (size_t)msg.len) != NULL) failures++;
}

static void LUMOS_CALL on_finish(const lumos_host *host, lumos_call call, lumos_status status, lumos_bytes json) {
    (void)host, (void)call;
    finished++;
    result_status = status;
    size_t length = json.len < sizeof result - 1 ? (size_t)json.len : sizeof result - 1;
    if (length > 0) memcpy(result, json.ptr, length);
    result[length] = '\0';
}

static int32_t LUMOS_CALL on_is_cancelled(const lumos_host *host, lumos_call call) {
    (void)host, (void)call;
    return cancelled;
}

static const void *LUMOS_CALL no_extension(const lumos_host *host, lumos_bytes name) {
    (void)host, (void)name;
    return NULL;
}

static const lumos_host host = {
    .struct_size = sizeof(lumos_host),
    .abi_major = LUMOS_ABI_MAJOR,
    .abi_minor = LUMOS_ABI_MINOR,
    .log = on_log,
    .finish = on_finish,
    .is_cancelled = on_is_cancelled,
    .get_extension = no_extension,
};

static const lumos_connector *connector;
static lumos_instance *instance;
static lumos_call next_call = 1;

/* Calls a capability. The request is a heap copy of its exact size, so that a sanitizer sees any step outside. */
static lumos_status call(const char *capability, const char *body) {
    uint8_t *copy = malloc(strlen(body) + 1);
    if (copy == NULL) abort();
    memcpy(copy, body, strlen(body));
    uint8_t *exact = realloc(copy, strlen(body) > 0 ? strlen(body) : 1);
    lumos_request request = {
        .struct_size = sizeof(lumos_request),
        .call = next_call++,
        .timeout_ms = UINT64_MAX,
        .capability = {(const uint8_t *)capability, strlen(capability)},
        .body_json = {exact, strlen(body)},
    };
    finished = 0;
    result[0] = '\0';
    result_status = LUMOS_OK;
    lumos_status status = connector->invoke(instance, &request);
    free(exact);
    return status;
}

/* Checks the call just made: invoke's result, the status given to finish, and a piece of the answer. */
static void expect(const char *what, lumos_status returned, lumos_status expected, lumos_status given,
                   const char *piece) {
    int finishes = expected == LUMOS_OK ? 1 : 0;
    if (returned == expected && finished == finishes && result_status == given && strstr(result, piece) != NULL) return;
    failures++;
    printf("FAILED %s: returned %d, finished %d times with %d: %s\n", what, (int)returned, finished,
           (int)result_status, result);
}

#define AUTH "\"auth\": {\"token\": {\"token\": \"example-token\"}}"

static void check_capabilities(void) {
    expect("info", call("info", ""), LUMOS_OK, LUMOS_OK, "\"app_id\":\"example-c\"");
    expect("validate", call("validate_credentials", "{" AUTH ", \"request\": {}}"), LUMOS_OK, LUMOS_OK, "\"valid\":true");
    expect("list", call("list_accounts", "{\"request\":{}, " AUTH "}"), LUMOS_OK, LUMOS_OK, "grace@example.com");
    expect("deactivate", call("deactivate_account", "{" AUTH ",\"request\":{\"account_id\":\"2\"}}"), LUMOS_OK, LUMOS_OK,
           "\"deactivated\":true");
    expect("list after", call("list_accounts", "{" AUTH "}"), LUMOS_OK, LUMOS_OK, "\"user_status\":\"INACTIVE\"");
    expect("unknown", call("make_coffee", "{" AUTH "}"), LUMOS_ERR_UNSUPPORTED, LUMOS_OK, "");
    expect("prefix", call("list", "{" AUTH "}"), LUMOS_ERR_UNSUPPORTED, LUMOS_OK, "");
    cancelled = 1;
    expect("cancelled", call("list_accounts", "{" AUTH "}"), LUMOS_ERR_CANCELLED, LUMOS_OK, "");
    cancelled = 0;
}

static void check_refusals(void) {
    expect("wrong token", call("list_accounts", "{\"auth\":{\"token\":{\"token\":\"x\"}}}"), LUMOS_OK, LUMOS_OK,
           "\"unauthorized\"");
    expect("no account", call("deactivate_account", "{" AUTH ",\"request\":{\"account_id\":\"9\"}}"), LUMOS_OK, LUMOS_OK,
           "\"not_found\"");
    expect("no id", call("deactivate_account", "{" AUTH ",\"request\":{}}"), LUMOS_OK, LUMOS_ERR_BAD_REQUEST,
           "account_id");
    expect("id is a number", call("deactivate_account", "{" AUTH ",\"request\":{\"account_id\":2}}"), LUMOS_OK,
           LUMOS_ERR_BAD_REQUEST, "account_id");

    static const char *const without_token[] = {
        "", " ", "{}", "[]", "null", "7", "\"\"", "\"auth\"", "{\"auth\":null}", "{\"auth\":{\"token\":{}}}",
        "{\"auth\":{\"token\":{\"token\":7}}}", "{\"x\":{\"auth\":{\"token\":{\"token\":\"example-token\"}}}}",
        "{\"x\":\"\\\"auth\\\":{\\\"token\\\":{\\\"token\\\":\\\"example-token\\\"}}\"}",
        "[{\"auth\":{\"token\":{\"token\":\"example-token\"}}}]",
        /* the host lets none of these through, but nothing may be read outside them either */
        "{", "{\"", "{\"auth", "{\"auth\"", "{\"auth\":", "{\"auth\":{", "{\"auth\\", "{\"auth\":\"\\", "{\"a\":1,", "{\"a\":]",
    };
    for (size_t i = 0; i < sizeof without_token / sizeof without_token[0]; i++) {
        expect(without_token[i], call("validate_credentials", without_token[i]), LUMOS_OK, LUMOS_ERR_BAD_REQUEST,
               "auth.token.token");
    }
    static const char *const with_token[] = {
        "{\"x\":[{\"}\":\"]\"}],\"y\":\"\\\\\",\"z\":-1.5e3,\"t\":true," AUTH "}",
        "\n{ \"auth\" :\t{\"token\": {\"a\": [1, {}], \"token\" : \"example-token\" } } , \"n\": null }\n",
        "{\"auth\":{\"token\":{\"token\":\"x\"}}," AUTH "}",
    };
    for (size_t i = 0; i < sizeof with_token / sizeof with_token[0]; i++) {
        expect(with_token[i], call("validate_credentials", with_token[i]), LUMOS_OK, LUMOS_OK, "\"valid\":true");
    }
}

int main(void) {
    connector = lumos_connector_entry_v1();
    if (connector->magic != LUMOS_CONNECTOR_MAGIC || connector->abi_major != LUMOS_ABI_MAJOR) return 1;
    lumos_bytes config = {(const uint8_t *)"{}", 2};
    if (connector->create(&host, next_call++, config, &instance) != LUMOS_OK) return 1;
    check_capabilities();
    check_refusals();
    connector->cancel(instance, 1, LUMOS_CANCEL_SHUTDOWN);
    connector->quiesce(instance);
    connector->destroy(instance);
    if (logged == 0) failures++;
    printf(failures == 0 ? "example-c: all checks passed\n" : "example-c: %d checks failed\n", failures);
    return failures == 0 ? 0 : 1;
}
