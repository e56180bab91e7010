//! The documents for those who run the agent, `docs/`: what they show is done as it stands, on a stand-in for a machine with
//! the package ([`machine`]), and must answer what stands below it.
//!
//! | mark of a block | what is done |
//! |---|---|
//! | `sh run` | must succeed |
//! | `sh check` | `doctor`: warnings are this machine's, failures are not accepted |
//! | `sh fails` | must end with 1 |
//! | `sh prepare` | what the reader has done before |
//! | `sh background` | runs on until the end |
//! | `toml set FILE` | the file gets these values |
//! | `text output`, `json answer` | what the block before printed; `…` stands for anything |
//! | `sh system`, `bat system` | needs a real system: listed in a snapshot, done by the checks of the packages |
//! | `sh container`, `yaml container` | needs an engine: done, as it stands, by `cargo xtask container` |

mod machine;

use regex::Regex;
use serde_json::Value;

use crate::support::blocks::blocks;
use crate::support::connectors::workspace;
use machine::Machine;

/// Every document for those who run the agent.
const DOCUMENTS: [&str; 9] = [
    "install.md",
    "first-connector.md",
    "upgrade.md",
    "backup.md",
    "rotate.md",
    "network.md",
    "several-agents.md",
    "troubleshooting.md",
    "container.md",
];

/// Does what a document says, block by block.
fn follow(document: &str) {
    let machine = Machine::new();
    let mut printed = String::new();
    for block in blocks(document) {
        match (block.language.as_str(), block.mark.as_str()) {
            ("sh", "run" | "prepare") => printed = machine.run(&block.text, &[0]),
            ("sh", "check") => {
                printed = machine.run(&block.text, &[0, 1]);
                assert!(!printed.contains("FAILURE"), "{document}:\n{printed}");
            }
            ("sh", "fails") => printed = machine.run(&block.text, &[1]),
            ("sh", "background") => machine.background(&block.text),
            ("text", "output") => compare(document, &block.text, &printed),
            ("json", "answer") => {
                let said: Value = serde_json::from_str(&block.text).unwrap();
                let given: Value = serde_json::from_str(&printed).unwrap();
                assert!(
                    alike(&said, &given),
                    "{document} says\n{said:#}\nand it is\n{given:#}"
                );
            }
            ("toml", mark) if mark.starts_with("set ") => machine.set(&mark[4..], &block.text),
            ("sh" | "bat", "system") | ("sh" | "yaml", "container") => {}
            (language, mark) => panic!("{document} has a block that is not checked: {language} {mark}"),
        }
    }
}

/// `…` on a line of its own stands for any lines, elsewhere for anything on its line.
fn compare(document: &str, said: &str, given: &str) {
    let pattern: String = said
        .lines()
        .map(|line| match line {
            "…" => "(?s:.*)".to_owned(),
            _ => regex::escape(line).replace('…', ".*") + "\n",
        })
        .collect();
    let fits = Regex::new(&format!("^{pattern}$")).unwrap().is_match(given);
    assert!(fits, "{document} says\n{said}\nand it is\n{given}");
}

fn alike(said: &Value, given: &Value) -> bool {
    match (said, given) {
        (Value::String(any), _) if any == "…" => true,
        (Value::Object(said), Value::Object(given)) => {
            said.len() == given.len()
                && said
                    .iter()
                    .all(|(name, value)| given.get(name).is_some_and(|other| alike(value, other)))
        }
        (Value::Array(said), Value::Array(given)) => {
            said.len() == given.len() && said.iter().zip(given).all(|(one, other)| alike(one, other))
        }
        _ => said == given,
    }
}

macro_rules! documents {
    ($($name:ident = $file:literal;)+) => {$(
        #[test]
        fn $name() {
            follow($file);
        }
    )+};
}

documents! {
    what_install_says_is_so = "install.md";
    what_first_connector_says_is_so = "first-connector.md";
    what_upgrade_says_is_so = "upgrade.md";
    what_backup_says_is_so = "backup.md";
    what_rotate_says_is_so = "rotate.md";
    what_network_says_is_so = "network.md";
    what_several_agents_says_is_so = "several-agents.md";
    what_troubleshooting_says_is_so = "troubleshooting.md";
    what_container_says_is_checked = "container.md";
}

#[test]
fn what_needs_a_real_system_is_listed() {
    let mut listed = Vec::new();
    for document in DOCUMENTS {
        for block in blocks(document)
            .into_iter()
            .filter(|block| block.mark == "system")
        {
            listed.extend(block.text.lines().map(|line| format!("{document}: {line}")));
        }
    }
    insta::assert_snapshot!(listed.join("\n"));
}

#[test]
fn the_installer_has_the_name_that_it_is_given() {
    let name = format!("lumos-agent-{}-x64.msi", env!("CARGO_PKG_VERSION"));
    for document in ["docs/install.md", "docs/upgrade.md", "README.md"] {
        let text = std::fs::read_to_string(workspace().join(document)).unwrap();
        let named: Vec<&str> = text
            .split_whitespace()
            .filter(|word| word.ends_with("-x64.msi"))
            .collect();
        assert!(
            !named.is_empty() && named.iter().all(|one| *one == name),
            "{document}: {named:?}"
        );
    }
}

#[test]
fn every_document_is_in_the_index_and_every_link_leads_somewhere() {
    let docs = workspace().join("docs");
    let index = std::fs::read_to_string(docs.join("README.md")).unwrap();
    let link = Regex::new(r"\]\(([^)#]+)(?:#[^)]*)?\)").unwrap();
    for entry in std::fs::read_dir(&docs).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".md") {
            continue;
        }
        let indexed = name == "README.md" || index.contains(&format!("]({name})"));
        assert!(indexed, "docs/README.md does not name {name}");
        let text = std::fs::read_to_string(&path).unwrap();
        for target in link.captures_iter(&text).map(|found| found[1].to_owned()) {
            let there = target.starts_with("http") || docs.join(&target).exists();
            assert!(there, "{name} leads to {target}, which is not there");
        }
    }
}

#[test]
fn every_command_that_is_mentioned_exists() {
    let mention = Regex::new(r"`(?:sudo )?lumos-agent((?: [a-z][a-z-]*)+)").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for document in DOCUMENTS.iter().chain(&["../README.md"]) {
        let text = std::fs::read_to_string(workspace().join("docs").join(document)).unwrap();
        for found in mention.captures_iter(&text) {
            let words: Vec<String> = found[1].split_whitespace().take(2).map(str::to_owned).collect();
            seen.insert(words);
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
    for words in seen {
        let known = |words: &[String]| {
            let mut command = std::process::Command::new(crate::support::home::AGENT);
            command
                .args(words)
                .arg("--help")
                .output()
                .unwrap()
                .status
                .success()
        };
        assert!(known(&words), "there is no `lumos-agent {}`", words.join(" "));
    }
}
