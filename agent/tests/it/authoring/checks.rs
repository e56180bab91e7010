//! `connector validate` and `connector package`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::support::connectors;
use crate::support::home::{Home, text};

/// A connector in C that is sound but for `changes` of its source.
fn changed(home: &Home, changes: &[(&str, &str)]) -> PathBuf {
    let made = home
        .command(&["connector", "new", "odd", "--lang", "c"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", home.transcript(&made));
    let project = home.path().join("odd");
    let source = project.join("connector.c");
    let mut code = fs::read_to_string(&source).unwrap();
    for (from, to) in changes {
        assert!(code.contains(from), "the example has changed: {from}");
        code = code.replacen(from, to, 1);
    }
    fs::write(&source, code).unwrap();
    let built = std::process::Command::new("make")
        .current_dir(&project)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", text(&built.stderr));
    project.join("libodd_connector.so")
}

fn validate(home: &Home, library: &Path) -> (Output, Value) {
    let output = home
        .command(&["connector", "validate", library.to_str().unwrap()])
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output, report)
}

/// The names of the checks that ended like that.
fn names<'report>(report: &'report Value, outcome: &str) -> Vec<&'report str> {
    let checks = report["checks"].as_array().unwrap().iter();
    let ended = checks.filter(|check| check["outcome"] == outcome);
    ended.map(|check| check["name"].as_str().unwrap()).collect()
}

#[test]
fn a_sound_connector_passes() {
    let home = Home::empty();
    let (output, report) = validate(&home, &connectors::mockapp());
    assert_eq!(output.status.code(), Some(0), "{}", home.transcript(&output));
    let all = [
        "abi",
        "manifest",
        "info",
        "schemas",
        "errors",
        "cancellation",
        "concurrency",
        "leaks",
    ];
    assert_eq!(names(&report, "pass"), all, "{report:#}");
    for member in [
        "file",
        "sha256",
        "signature",
        "sandbox",
        "manifest",
        "capabilities",
        "info",
    ] {
        assert!(!report[member].is_null(), "{member}");
    }
    // It turned to the listener that its settings named, and was cancelled while it waited.
    let cancelled = report["checks"][5]["detail"].as_str().unwrap();
    assert!(cancelled.contains("after it was cancelled"), "{cancelled}");
    assert!(
        !text(&output.stderr).contains("bad_request"),
        "refusals are not shown"
    );
}

#[test]
fn each_fault_fails_its_check() {
    let info_of = "static lumos_status info(lumos_instance *self, const lumos_request *request) {";
    let leak = format!("{info_of}\n    FILE *kept = fopen(\"/dev/null\", \"r\");\n    (void)kept;");
    let moody = format!(
        "{info_of}\n    static atomic_int calls;\n    if (atomic_fetch_add(&calls, 1) % 5 == 4) return answer(self, request, \"{{}}\");"
    );
    let idle = format!(
        "#include <pthread.h>\nstatic void *idle(void *nothing) {{\n    \
         static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;\n    \
         static pthread_cond_t never = PTHREAD_COND_INITIALIZER;\n    pthread_mutex_lock(&lock);\n    \
         for (;;) pthread_cond_wait(&never, &lock);\n    return nothing;\n}}\n\
         {info_of}\n    pthread_t thread;\n    pthread_create(&thread, NULL, idle, NULL);"
    );
    for (check, from, to) in [
        (
            "info",
            r#"\"version\":\"" VERSION"#,
            r#"\"version\":\"9" VERSION"#,
        ),
        (
            "schemas",
            r#"\"required\":[\"token\"]"#,
            r#"\"required\":[\"tokn\"]"#,
        ),
        (
            "errors",
            "if (!authorized(self, request)) return LUMOS_OK;\n\n    /* Room",
            "/* Room",
        ),
        ("errors", r#"\"error_code\":\"%s\""#, r#"\"error_kind\":\"%s\""#),
        ("concurrency", info_of, &moody),
        ("leaks", info_of, &leak),
        ("leaks", info_of, &idle),
    ] {
        let home = Home::empty();
        // The third fault is in envelopes of the connector's own, which a bad request must first lead to.
        let own = (
            "return LUMOS_ERR_UNSUPPORTED;",
            "return fail(self, request, \"not_found\", 404, \"client\", \"?\");",
        );
        let changes = [(from, to), own];
        let library = changed(
            &home,
            if to.contains("error_kind") {
                &changes
            } else {
                &changes[..1]
            },
        );
        let (output, report) = validate(&home, &library);
        assert_eq!(output.status.code(), Some(1), "{}", home.transcript(&output));
        assert_eq!(names(&report, "fail"), [check], "{report:#}");
        assert!(text(&output.stderr).contains(&format!("error: {check}: ")));
    }
}

#[test]
fn what_follows_a_crash_is_skipped() {
    let body =
        "static lumos_status validate_credentials(lumos_instance *self, const lumos_request *request) {";
    let crash = format!("{body}\n    if (request->call != 0) abort();");
    let home = Home::empty();
    let library = changed(&home, &[(body, &crash)]);
    let (output, report) = validate(&home, &library);
    assert_eq!(output.status.code(), Some(1), "{}", home.transcript(&output));
    assert_eq!(names(&report, "fail"), ["errors"], "{report:#}");
    assert_eq!(
        names(&report, "skipped"),
        ["cancellation", "concurrency", "leaks"]
    );
}

/// Connects to where its settings lead it, and waits there whatever it is told.
#[test]
fn a_call_that_cannot_be_cancelled_fails_its_check() {
    let stubborn = r#"static lumos_status validate_credentials(lumos_instance *self, const lumos_request *request) {
    lumos_bytes url = member(member(request->body_json, "settings"), "api_url");
    const uint8_t *colon = url.ptr == NULL ? NULL : memchr(url.ptr + 7, ':', (size_t)url.len - 7);
    if (colon != NULL) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi((const char *)colon + 1))};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int app = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(app, (struct sockaddr *)&to, sizeof to) == 0) sleep(30);
    }"#;
    let home = Home::empty();
    let library = changed(
        &home,
        &[
            (
                "#include <stdio.h>",
                "#include <arpa/inet.h>\n#include <stdio.h>\n#include <unistd.h>",
            ),
            (
                r#"\"request_settings_schema\":{}"#,
                r#"\"request_settings_schema\":{\"properties\":{\"api_url\":{\"type\":\"string\"}}}"#,
            ),
            (
                "static lumos_status validate_credentials(lumos_instance *self, const lumos_request *request) {",
                stubborn,
            ),
        ],
    );
    let (output, report) = validate(&home, &library);
    assert_eq!(output.status.code(), Some(1), "{}", home.transcript(&output));
    assert_eq!(names(&report, "fail"), ["cancellation"], "{report:#}");
}

#[test]
fn a_release_has_its_name_and_checksum_and_stays_as_it_is() {
    let home = Home::empty();
    let library = changed(&home, &[]);
    let package = || {
        home.command(&["connector", "package", library.to_str().unwrap(), "--out", "dist"])
            .output()
            .unwrap()
    };
    let output = package();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(made["file"], "dist/odd-0.1.0.so", "{made}");
    assert_eq!(
        fs::read(home.path().join("dist/odd-0.1.0.so")).unwrap(),
        fs::read(&library).unwrap()
    );
    let summed = std::process::Command::new("sha256sum")
        .args(["-c", "odd-0.1.0.so.sha256"])
        .current_dir(home.path().join("dist"))
        .output()
        .unwrap();
    assert!(summed.status.success(), "{}", text(&summed.stderr));
    assert!(package().status.success(), "the same again");

    fs::write(home.path().join("dist/odd-0.1.0.so"), "another build").unwrap();
    insta::assert_snapshot!("package_of_the_same_version", home.transcript(&package()));
}

#[test]
fn a_release_holds_the_data_files_as_they_are() {
    let home = Home::empty();
    let data = home.path().join("data/texts/instructions.md");
    fs::create_dir_all(data.parent().unwrap()).unwrap();
    fs::write(&data, "Make a token under *Settings*.\n").unwrap();
    let embedded = format!(
        "#include <stdio.h>\n__asm__(\".section .rodata\\ninstructions: .incbin \\\"{}\\\"\\n.byte 0\\n.previous\");\n\
         extern const char instructions[];\n",
        data.display()
    );
    let told = (
        r#"host->log(host, 0, LUMOS_LOG_DEBUG, bytes("ready"));"#,
        "host->log(host, 0, LUMOS_LOG_DEBUG, bytes(instructions));",
    );
    let library = changed(&home, &[("#include <stdio.h>\n", &embedded), told]);
    let package = || {
        let library = library.to_str().unwrap();
        home.command(&["connector", "package", library, "--data", "data", "--out", "dist"])
            .output()
            .unwrap()
    };
    let output = package();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let expected = serde_json::json!(["data/texts/instructions.md"]);
    assert_eq!(made["data"], expected, "{}", home.transcript(&output));

    fs::write(&data, "Make a token under *Profile*.\n").unwrap();
    insta::assert_snapshot!("package_with_changed_data", home.transcript(&package()));
}
