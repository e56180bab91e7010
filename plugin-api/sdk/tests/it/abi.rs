//! The connector as its host sees it: through the C table.

use std::sync::atomic::Ordering;
use std::time::Duration;

use lumos_connector_sdk::harness::LoadedConnector;
use lumos_connector_sdk::prelude::*;
use serde_json::Value;

use crate::connector::{WRITES, lumos_connector_entry_v1, request};

fn load() -> LoadedConnector {
    LoadedConnector::load(lumos_connector_entry_v1).unwrap()
}

fn behave(how: &str) -> Value {
    request("http://127.0.0.1:9", "/", json!({"how": how}))
}

#[test]
fn the_manifest_describes_the_library() {
    assert_eq!(
        load().manifest(),
        json!({
            "app_id": "test",
            "version": "1.2.3",
            "abi": "1.0",
            "requires": [],
            "max_concurrency": 32,
            "idempotent": ["create_account"],
            "levels": {"behave": "read", "slow_write": "write"},
        })
    );
}

#[test]
fn a_panic_becomes_an_error_and_its_message_goes_nowhere() {
    let connector = load();
    let answer = connector.call("behave", behave("panic"));
    assert_eq!(answer["error"]["error_code"], "internal_error");
    assert_eq!(answer["error"]["raised_by"], "Panic");
    let told = format!("{answer} {:?}", connector.log_lines());
    assert!(!told.contains("t0ken"), "{told}");
    assert!(told.contains("connector.rs"), "the log names the place: {told}");
    assert_eq!(connector.call("behave", behave("well"))["response"]["done"], true);
}

#[test]
fn a_cancelled_read_ends_at_once_and_once() {
    let connector = load();
    let call = connector
        .start("behave", behave("hang").to_string().as_bytes(), None)
        .unwrap();
    connector.cancel(call);
    connector.cancel(call);
    let (status, message) = connector.wait(call);
    assert_eq!((status, message.as_slice()), (-4, &b"the call was cancelled"[..]));
    assert_eq!(connector.times_finished(call), 1);
}

#[test]
fn a_cancelled_write_goes_on_to_its_end() {
    let connector = load();
    let before = WRITES.load(Ordering::SeqCst);
    let call = connector
        .start(
            "slow_write",
            behave("").to_string().as_bytes(),
            Some(Duration::from_millis(1)),
        )
        .unwrap();
    connector.cancel(call);
    let (status, answer) = connector.wait(call);
    assert_eq!(status, 0, "{}", String::from_utf8_lossy(&answer));
    assert!(WRITES.load(Ordering::SeqCst) > before);
}

#[test]
fn a_read_ends_at_its_deadline() {
    let connector = load();
    let call = connector
        .start(
            "behave",
            behave("hang").to_string().as_bytes(),
            Some(Duration::from_millis(20)),
        )
        .unwrap();
    let (status, answer) = connector.wait(call);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        (status, &answer["error"]["error_code"]),
        (0, &json!("request_timeout"))
    );
}

#[test]
fn after_quiesce_no_call_is_taken() {
    let connector = load();
    connector.quiesce();
    assert_eq!(connector.start("info", b"", None), Err(-5));
}

#[test]
fn calls_run_at_the_same_time() {
    let connector = load();
    let body = behave("hang").to_string();
    let hanging: Vec<_> = (0..40)
        .map(|_| connector.start("behave", body.as_bytes(), None).unwrap())
        .collect();
    assert_eq!(connector.call("behave", behave("well"))["response"]["done"], true);
    for call in hanging {
        connector.cancel(call);
        assert_eq!(connector.wait(call).0, -4);
    }
}

#[test]
fn what_is_not_utf8_or_not_json_is_refused() {
    let connector = load();
    let call = connector.start("behave", b"\xff\xfe", None).unwrap();
    let (status, answer) = connector.wait(call);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        (status, &answer["error"]["error_code"]),
        (0, &json!("bad_request"))
    );
}

mod broken {
    use super::*;

    fn integration() -> Integration {
        Integration::new("no spaces please", "1.0.0")
    }

    pub(crate) enum Broken {}

    impl lumos_connector_sdk::export::Exported for Broken {
        fn declare() -> lumos_connector_sdk::export::Declared {
            integration().into()
        }

        fn slot() -> &'static lumos_connector_sdk::export::Slot {
            static SLOT: lumos_connector_sdk::export::Slot = lumos_connector_sdk::export::Slot::new();
            &SLOT
        }
    }

    pub(crate) extern "C" fn entry() -> *const lumos_connector_sdk::export::ConnectorTable {
        lumos_connector_sdk::export::entry::<Broken>()
    }
}

#[test]
fn a_bad_declaration_is_told_by_create() {
    let error = LoadedConnector::load(broken::entry).err().unwrap();
    assert!(
        error.starts_with("app id \"no spaces please\" is not acceptable"),
        "{error}"
    );
}
