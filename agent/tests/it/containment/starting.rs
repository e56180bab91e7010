//! Connectors that are wrong before their first call.

use super::*;

/// A fault of `fixtures/rogue.c`: its number, the state it leads to, and what is said about it.
struct Fault {
    app_id: &'static str,
    number: u32,
    state: &'static str,
    says: &'static str,
}

const fn fault(app_id: &'static str, number: u32, state: &'static str, says: &'static str) -> Fault {
    Fault {
        app_id,
        number,
        state,
        says,
    }
}

const FAULTS: &[Fault] = &[
    fault("null-table", 1, "refused", "returned no connector table (NULL)"),
    fault("wrong-magic", 2, "refused", "instead of LUMOS_CONNECTOR_MAGIC"),
    fault("short-table", 3, "refused", "says struct_size 24"),
    fault("unmet-requirement", 5, "refused", "requires time-machine/1"),
    fault("create-fails", 6, "backing-off", "no licence on this machine"),
    fault("create-hangs", 7, "backing-off", "took more than 3 s"),
    fault("info-fails", 8, "backing-off", "info is out of order"),
    fault("wrong-info", 9, "refused", "wrong app_id"),
];
const NEWER_MINOR: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_wrong_from_the_start_is_told_and_harms_nobody() {
    let stage = Stage::new("connectors.start_timeout = \"3s\"").await;
    stage.install(&rogue("newer-minor", NEWER_MINOR), "newer-minor");
    for fault in FAULTS {
        stage.install(&rogue(fault.app_id, fault.number), fault.app_id);
    }

    stage
        .until("newer-minor", "ready", |row| row["state"] == "ready")
        .await;
    let (status, answer) = stage.call("newer-minor", "fine", None).await;
    assert_eq!((status, &answer["response"]), (200, &json!("fine")));

    for fault in FAULTS {
        let told = |row: &Value| {
            let says = row["last_error"]
                .as_str()
                .unwrap_or_default()
                .contains(fault.says);
            // A failed start is tried again; the state may be that of the next one, or of one too many.
            let state = row["state"].as_str().unwrap_or_default();
            let again = ["starting", "quarantined"].contains(&state) && fault.state == "backing-off";
            says && (state == fault.state || again)
        };
        stage.until(fault.app_id, fault.state, told).await;
        let (status, answer) = stage.call(fault.app_id, "fine", None).await;
        let served = answer["error"]["error_code"].as_str().unwrap_or_default();
        // Of a library without a readable table nobody knows whose it is.
        let known = ["create-fails", "create-hangs", "info-fails", "wrong-info"].contains(&fault.app_id);
        let expected = if known {
            (503, "service_error")
        } else {
            (404, "not_found")
        };
        assert_eq!((status, served), expected, "{}: {answer}", fault.app_id);
        if known {
            stage.until_logged(fault.app_id, fault.says).await;
            let reasons = stage.reasons(fault.app_id);
            assert!(
                reasons.iter().any(|reason| reason.contains(fault.says)),
                "{}: {reasons:?}",
                fault.app_id
            );
        }
    }

    stage.remove("newer-minor");
    for fault in FAULTS {
        stage.remove(fault.app_id);
    }
    stage.end("wrong from the start").await;
}
