//! `connector new`.

use std::fs;

use crate::support::home::{Home, text};

#[test]
fn the_c_project_builds_and_passes_its_checks() {
    let home = Home::empty();
    let made = home
        .command(&["connector", "new", "My_App-2", "--lang", "c", "--dir", "project"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", home.transcript(&made));
    let project = home.path().join("project");
    let built = std::process::Command::new("make")
        .args(["all", "check"])
        .current_dir(&project)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", text(&built.stderr));
    assert!(text(&built.stdout).contains("My_App-2: all checks passed"));
    let library = "project/libmy_app_2_connector.so";
    let info = home
        .command(&["call", "--file", library, "info"])
        .output()
        .unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.stdout).unwrap();
    assert_eq!(info["response"]["app_id"], "My_App-2");
}

#[test]
fn nothing_is_overwritten_and_names_are_checked() {
    let home = Home::empty();
    fs::create_dir(home.path().join("taken")).unwrap();
    fs::write(home.path().join("taken/Makefile"), "mine").unwrap();
    for arguments in [
        &["taken", "--lang", "c"][..],
        &["con"],
        &["a__b"],
        &["-x"],
        &["../up"],
        &["app", "--lang", "python"],
    ] {
        let output = home
            .command(&[&["connector", "new"], arguments].concat())
            .output()
            .unwrap();
        let name = format!("new_{}", arguments.join("_").replace(['/', '.'], ""));
        insta::assert_snapshot!(name, home.transcript(&output));
    }
    assert_eq!(
        fs::read_to_string(home.path().join("taken/Makefile")).unwrap(),
        "mine"
    );
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}
