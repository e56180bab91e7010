/*
 * example-c: a Lumos connector in plain C.
 *
 * It governs an imaginary app with three accounts that live in this file, so that everything here is about the
 * connector interface and nothing about an app. To make your own: change APP_ID, INFO and the capabilities table, and put
 * the calls to your app where the accounts array is read and written.
 *
 *   info                   what the connector is and can do
 *   validate_credentials   accepts the token "example-token"
 *   list_accounts          all accounts, in one page
 *   deactivate_account     needs its request: request.account_id
 *
 * The interface is described in lumos_connector.h. What to keep in mind while reading:
 *   - invoke is called from several threads at once, so shared state is atomic or locked;
 *   - every pointer handed in is borrowed until the function returns;
 *   - a call ends once, by host->finish or by a negative result of invoke, never by both.
 */
#include "lumos_connector.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APP_ID "example-c"
#define VERSION "0.1.0"

/* Text constants as lumos_bytes, whose length does not count the terminating zero. */
#define BYTES(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

/* ---------------------------------------------------------------------------------------------------------- the app */

struct account {
    const char *id;
    const char *email;
    const char *name;
};

#define ACCOUNTS 3
static const struct account accounts[ACCOUNTS] = {
    {"1", "ada@example.com", "Ada"},
    {"2", "grace@example.com", "Grace"},
    {"3", "linus@example.com", "Linus"},
};

/* What create makes: all that the connector remembers between calls. */
struct lumos_instance {
    const lumos_host *host;
    atomic_int inactive[ACCOUNTS];
};

/* ------------------------------------------------------------------------------------- reading the request, carefully */

/*
 * The host has checked that a request is well-formed JSON, so finding a member needs no parser: only care for strings,
 * in which brackets mean nothing, and for escapes, after which a quote does not end the string.
 */

static const uint8_t *skip_blanks(const uint8_t *at, const uint8_t *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

/* From an opening quote to behind the closing one. */
static const uint8_t *skip_string(const uint8_t *at, const uint8_t *end) {
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\') at++;
    }
    return at < end ? at + 1 : end;
}

/* From the first byte of any value to behind its last. */
static const uint8_t *skip_value(const uint8_t *at, const uint8_t *end) {
    int depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            if (depth == 0) return at;
            depth--;
            at++;
        } else if (depth == 0 && *at == ',') {
            return at;
        } else {
            at++;
            continue;
        }
        if (depth == 0) return at;
    }
    return end;
}

/* The value of member `key` of the object `object`, or nothing (ptr NULL). Of a name given twice the last counts. */
static lumos_bytes member(lumos_bytes object, const char *key) {
    lumos_bytes found = {NULL, 0};
    if (object.len == 0) return found;
    const uint8_t *end = object.ptr + object.len;
    const uint8_t *at = skip_blanks(object.ptr, end);
    if (at == end || *at != '{') return found;
    at = skip_blanks(at + 1, end);
    while (at < end && *at == '"') {
        const uint8_t *name = at + 1;
        at = skip_string(at, end);
        size_t name_length = (size_t)(at - 1 - name);
        at = skip_blanks(at, end);
        if (at == end || *at != ':') break;
        const uint8_t *value = skip_blanks(at + 1, end);
        at = skip_value(value, end);
        if (name_length == strlen(key) && memcmp(name, key, name_length) == 0) {
            found.ptr = value;
            found.len = (uint64_t)(at - value);
        }
        at = skip_blanks(at, end);
        if (at == end || *at != ',') break;
        at = skip_blanks(at + 1, end);
    }
    return found;
}

static int is_string(lumos_bytes value) {
    return value.len >= 2 && value.ptr[0] == '"';
}

/* Whether `value` is the JSON string `text`. Good for texts that need no escape; an escaped spelling does not match. */
static int is_text(lumos_bytes value, const char *text) {
    size_t length = strlen(text);
    return is_string(value) && value.len == length + 2 && memcmp(value.ptr + 1, text, length) == 0;
}

/* ------------------------------------------------------------------------------------------------ answering, logging */

static lumos_bytes bytes(const char *text) {
    lumos_bytes result = {(const uint8_t *)text, strlen(text)};
    return result;
}

/* Ends the call with a complete answer. */
static lumos_status answer(const lumos_instance *self, const lumos_request *request, const char *json) {
    self->host->finish(self->host, request->call, LUMOS_OK, bytes(json));
    return LUMOS_OK;
}

/*
 * Ends the call with an error whose envelope the host makes from the status and the message. The call is finished by
 * this, so invoke returns LUMOS_OK; returning the negative status instead would be right if there were no message.
 */
static lumos_status refuse(const lumos_instance *self, const lumos_request *request, lumos_status status,
                           const char *message) {
    self->host->finish(self->host, request->call, status, bytes(message));
    return LUMOS_OK;
}

/*
 * Ends the call with an error envelope of the connector's own, for what the statuses cannot say: a wrong credential, an
 * account that does not exist. To the host it is an answer like any other.
 */
static lumos_status fail(const lumos_instance *self, const lumos_request *request, const char *error_code,
                         int status_code, const char *category, const char *message) {
    char json[768];
    snprintf(json, sizeof json,
             "{\"is_error\":true,\"error\":{\"message\":\"%s\",\"status_code\":%d,\"app_error_code\":null,"
             "\"error_code\":\"%s\",\"app_id\":\"" APP_ID "\",\"raised_by\":null,\"raised_in\":null,"
             "\"error_metadata\":{\"fault\":\"caller\",\"category\":\"%s\",\"hint\":null,\"retryable\":false,"
             "\"throttled\":false,\"refreshable\":false,\"retry_after_seconds\":null}},"
             "\"raw_data\":null,\"page\":null}",
             message, status_code, error_code, category);
    return answer(self, request, json);
}

static void log_line(const lumos_instance *self, const lumos_request *request, int32_t level, const char *line) {
    self->host->log(self->host, request->call, level, bytes(line));
}

/* ------------------------------------------------------------------------------------------------------ capabilities */

static const char INFO[] =
    "{\"response\":{\"app_id\":\"" APP_ID "\",\"version\":\"" VERSION "\","
    "\"capabilities\":[\"deactivate_account\",\"list_accounts\",\"validate_credentials\"],"
    "\"capability_schema\":{"
    "\"deactivate_account\":{\"argument\":{\"type\":\"object\",\"title\":\"DeactivateAccount\",\"properties\":{"
    "\"account_id\":{\"type\":\"string\",\"title\":\"Account Id\",\"x-semantic\":\"account-id\"}},"
    "\"required\":[\"account_id\"],\"x-capability-level\":\"write\"},"
    "\"output\":{\"type\":\"object\",\"title\":\"DeactivatedAccount\"},"
    "\"display_name\":\"Deactivate Account\",\"description\":null},"
    "\"list_accounts\":{\"argument\":{\"type\":\"object\",\"title\":\"ListAccounts\",\"properties\":{},"
    "\"x-capability-level\":\"read\"},"
    "\"output\":{\"type\":\"object\",\"title\":\"FoundAccountData\"},"
    "\"display_name\":\"List Accounts\",\"description\":null},"
    "\"validate_credentials\":{\"argument\":{\"type\":\"object\",\"title\":\"ValidateCredentials\",\"properties\":{},"
    "\"x-capability-level\":\"validation\"},"
    "\"output\":{\"type\":\"object\",\"title\":\"ValidatedCredentials\"},"
    "\"display_name\":\"Validate Credentials\",\"description\":null}},"
    "\"authentication_schema\":{\"type\":\"object\",\"title\":\"TokenCredential\",\"properties\":{"
    "\"token\":{\"type\":\"string\",\"title\":\"Token\",\"description\":\"The word example-token.\","
    "\"x-field_type\":\"SECRET\",\"x-secret\":true}},"
    "\"required\":[\"token\"],\"field_order\":[\"token\"],\"x-credential-type\":\"token\"},"
    "\"credentials_schema\":[],\"request_settings_schema\":{},\"oauth_scopes\":null,"
    "\"user_friendly_name\":\"Example in C\",\"description\":\"Three accounts, to show how a connector is written in C\","
    "\"app_vendor_domain\":null,\"logo_url\":null,\"categories\":[],"
    "\"resource_types\":[],\"entitlement_types\":[],\"access_graph_entitlement_types\":[],"
    "\"access_graph_entitlement_rules\":[],\"implied_access_rules\":[]},"
    "\"raw_data\":null,\"page\":null,\"rate_limit\":null,\"execution_summary\":null}";

static lumos_status info(lumos_instance *self, const lumos_request *request) {
    return answer(self, request, INFO);
}

/*
 * 1 if the request carries the token; otherwise the call has been ended with the reason. A real connector would send the
 * token to its app. It must never log it.
 */
static int authorized(const lumos_instance *self, const lumos_request *request) {
    lumos_bytes token = member(member(member(request->body_json, "auth"), "token"), "token");
    if (is_text(token, "example-token")) return 1;
    if (is_string(token)) {
        fail(self, request, "unauthorized", 401, "authentication", "The token is not valid. It is: example-token");
    } else {
        refuse(self, request, LUMOS_ERR_BAD_REQUEST, "auth.token.token is missing or not a string");
    }
    return 0;
}

static lumos_status validate_credentials(lumos_instance *self, const lumos_request *request) {
    if (!authorized(self, request)) return LUMOS_OK;
    return answer(self, request,
                  "{\"response\":{\"valid\":true,\"unique_tenant_id\":\"example-c-tenant\"},"
                  "\"raw_data\":null,\"page\":null,\"rate_limit\":null,\"execution_summary\":null}");
}

static lumos_status list_accounts(lumos_instance *self, const lumos_request *request) {
    if (!authorized(self, request)) return LUMOS_OK;

    /* Room for three short rows; a connector with real data would grow its buffer. */
    char json[2048];
    size_t used = (size_t)snprintf(json, sizeof json, "{\"response\":[");
    for (int i = 0; i < ACCOUNTS; i++) {
        /* Long work looks up now and then whether anybody still waits. Nothing has been finished, so a status it is. */
        if (self->host->is_cancelled(self->host, request->call)) return LUMOS_ERR_CANCELLED;

        used += (size_t)snprintf(json + used, sizeof json - used,
                                 "%s{\"integration_specific_id\":\"%s\",\"resource_id\":null,\"email\":\"%s\","
                                 "\"given_name\":\"%s\",\"family_name\":null,\"username\":null,\"user_status\":\"%s\","
                                 "\"extra_data\":null,\"custom_attributes\":null,\"account_type\":null}",
                                 i == 0 ? "" : ",", accounts[i].id, accounts[i].email, accounts[i].name,
                                 atomic_load(&self->inactive[i]) ? "INACTIVE" : "ACTIVE");
    }
    snprintf(json + used, sizeof json - used,
             "],\"raw_data\":null,\"page\":null,\"rate_limit\":null,\"execution_summary\":null}");
    log_line(self, request, LUMOS_LOG_INFO, "listed all accounts in one page");
    return answer(self, request, json);
}

static lumos_status deactivate_account(lumos_instance *self, const lumos_request *request) {
    if (!authorized(self, request)) return LUMOS_OK;

    lumos_bytes account_id = member(member(request->body_json, "request"), "account_id");
    if (!is_string(account_id)) {
        return refuse(self, request, LUMOS_ERR_BAD_REQUEST, "request.account_id is missing or not a string");
    }
    for (int i = 0; i < ACCOUNTS; i++) {
        if (!is_text(account_id, accounts[i].id)) continue;
        atomic_store(&self->inactive[i], 1);
        log_line(self, request, LUMOS_LOG_INFO, "deactivated an account");
        return answer(self, request,
                      "{\"response\":{\"status\":\"INACTIVE\",\"deactivated\":true},"
                      "\"raw_data\":null,\"page\":null,\"rate_limit\":null,\"execution_summary\":null}");
    }
    log_line(self, request, LUMOS_LOG_WARNING, "asked to deactivate an account that does not exist");
    return fail(self, request, "not_found", 404, "client", "There is no account with this id");
}

static const struct {
    const char *name;
    lumos_status (*run)(lumos_instance *self, const lumos_request *request);
} capabilities[] = {
    {"info", info},
    {"validate_credentials", validate_credentials},
    {"list_accounts", list_accounts},
    {"deactivate_account", deactivate_account},
};

/* --------------------------------------------------------------------------------------------- the connector's table */

static lumos_status LUMOS_CALL create(const lumos_host *host, lumos_call call, lumos_bytes config_json,
                                      lumos_instance **instance) {
    (void)config_json; /* this connector has no settings in the agent's configuration */
    lumos_instance *self = calloc(1, sizeof *self);
    if (self == NULL) {
        host->finish(host, call, LUMOS_ERR_UNAVAILABLE, bytes("out of memory"));
        return LUMOS_ERR_UNAVAILABLE;
    }
    self->host = host; /* valid until the process exits */
    for (int i = 0; i < ACCOUNTS; i++) atomic_init(&self->inactive[i], 0);
    host->log(host, 0, LUMOS_LOG_DEBUG, bytes("ready"));
    *instance = self;
    return LUMOS_OK;
}

static lumos_status LUMOS_CALL invoke(lumos_instance *self, const lumos_request *request) {
    for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++) {
        size_t length = strlen(capabilities[i].name);
        if (request->capability.len == length && memcmp(request->capability.ptr, capabilities[i].name, length) == 0) {
            return capabilities[i].run(self, request);
        }
    }
    return LUMOS_ERR_UNSUPPORTED;
}

/* Nothing to do: capabilities return at once, and the one with a loop asks is_cancelled. */
static void LUMOS_CALL cancel(lumos_instance *self, lumos_call call, int32_t reason) {
    (void)self;
    (void)call;
    (void)reason;
}

/* Nothing to do: there is no background work to stop. */
static void LUMOS_CALL quiesce(lumos_instance *self) {
    (void)self;
}

static void LUMOS_CALL destroy(lumos_instance *self) {
    free(self);
}

static const lumos_connector connector = {
    .magic = LUMOS_CONNECTOR_MAGIC,
    .struct_size = sizeof(lumos_connector),
    .abi_major = LUMOS_ABI_MAJOR,
    .abi_minor = LUMOS_ABI_MINOR,
    .manifest_json = BYTES("{\"app_id\":\"" APP_ID "\",\"version\":\"" VERSION "\",\"abi\":\"1.0\","
                           "\"max_concurrency\":16,\"idempotent\":[\"deactivate_account\"]}"),
    .create = create,
    .invoke = invoke,
    .cancel = cancel,
    .quiesce = quiesce,
    .destroy = destroy,
};

LUMOS_EXPORT const lumos_connector *LUMOS_CALL lumos_connector_entry_v1(void) {
    return &connector;
}
