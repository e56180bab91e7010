//! Documents: what the reference reads, refuses and writes, against what we do; and the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde::Deserialize;
use serde_json::{Value, json};

use super::differences::Differences;
use super::{ask, fail_unless_empty, generate, types};

/// A document, and what the reference makes of it.
#[derive(Deserialize)]
pub(super) struct Case {
    pub(super) model: String,
    /// The model or the member that it is about, which may lie deeper.
    pub(super) what: String,
    pub(super) case: String,
    pub(super) document: String,
    /// The document as the reference writes it after reading it; nothing if it refuses it.
    pub(super) answer: Option<Value>,
    why: Option<String>,
}

/// Every case of the reference, asked for once.
pub(super) fn cases() -> &'static [Case] {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let lines = ask("cases", String::new());
        let read = |line: &String| serde_json::from_str(line).unwrap();
        lines.iter().map(read).collect()
    });
    &CASES
}

/// What the two sides make of a document, if that is not the same.
fn disagreement(case: &Case, ours: Result<String, String>) -> Option<String> {
    match (ours, &case.answer) {
        (Err(_), None) => None,
        (Ok(ours), Some(theirs)) => first_difference(&ours, theirs),
        (Err(why), Some(_)) => Some(format!("ours refuses: {why}")),
        (Ok(_), None) => Some(format!(
            "theirs refuses: {}",
            case.why.as_deref().unwrap_or_default()
        )),
    }
}

/// The first line in which two documents differ. Compared as text, because the order of the members is part of the format.
fn first_difference(ours: &str, theirs: &Value) -> Option<String> {
    let ours: Value = serde_json::from_str(ours).expect("we write JSON");
    let (ours, theirs) = (format!("{ours:#}"), format!("{theirs:#}"));
    let mut lines = ours.lines().zip(theirs.lines());
    let (ours, theirs) = lines.find(|(ours, theirs)| ours != theirs)?;
    Some(format!("ours writes {}, theirs {}", ours.trim(), theirs.trim()))
}

#[test]
#[ignore = "needs the reference SDK: cargo xtask test"]
fn what_the_reference_reads_refuses_and_writes_so_do_we() {
    let types = types::all();
    let mut differences = Differences::read("documents");
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut covered = BTreeSet::new();
    for case in cases() {
        let Some(one) = types.get(&case.model) else {
            continue;
        };
        if case.case == "a list of its members" {
            // serde takes one for an object. `requests` shows that no capability gets to see such a request.
            continue;
        }
        if case.what == case.model && case.answer.is_some() {
            covered.insert((case.model.clone(), case.case.clone()));
        }
        let Some(why) = disagreement(case, (one.reread)(&case.document)) else {
            continue;
        };
        if !differences.is_meant(&case.what, &case.case) {
            let line = format!("{}: {why} ({} {:.200})", case.case, case.model, case.document);
            wrong.entry(&case.what).or_default().push(line);
        }
    }
    let mut wrong: Vec<String> = wrong
        .into_iter()
        .map(|(what, cases)| format!("{what}, {} cases, such as\n      {}", cases.len(), cases[0]))
        .collect();
    wrong.extend(differences.forgotten());
    fail_unless_empty("our models read and write otherwise than the reference's", &wrong);
    every_type_is_covered(&types, &covered);
}

fn every_type_is_covered(types: &BTreeMap<String, types::Type>, covered: &BTreeSet<(String, String)>) {
    let envelopes = types::capabilities()
        .into_iter()
        .flat_map(|capability| capability.request.into_iter().chain([capability.response]))
        .map(|one| one.name);
    let mut missing = Vec::new();
    for name in envelopes {
        assert!(types.contains_key(&name));
        for case in ["with the least", "with everything", "with an unknown member"] {
            if !covered.contains(&(name.clone(), case.to_owned())) {
                missing.push(format!("{name}, {case}"));
            }
        }
    }
    fail_unless_empty("there is no document that both sides read", &missing);
}

#[test]
#[ignore = "needs the reference SDK: cargo xtask test"]
fn what_we_write_the_reference_reads_and_writes_as_the_same() {
    const OF_EACH_TYPE: usize = 20;
    // The same documents in every run: whoever finds one in a log can find it again.
    let mut runner = TestRunner::deterministic();
    let mut documents = Vec::new();
    for (name, one) in types::all() {
        let strategy = generate::document(&(one.schema)());
        for _ in 0..OF_EACH_TYPE {
            let document = strategy.new_tree(&mut runner).unwrap().current();
            documents.push((name.clone(), (one.reread)(&document.to_string()).unwrap()));
        }
    }
    let questions: Vec<String> = documents
        .iter()
        .map(|(model, document)| json!({"model": model, "document": document}).to_string())
        .collect();
    let answers = ask("check", questions.join("\n"));
    assert_eq!(answers.len(), documents.len());
    let mut wrong = Vec::new();
    for ((model, document), answer) in documents.into_iter().zip(answers) {
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let difference = match answer["why"].as_str() {
            Some(why) => Some(format!("theirs refuses: {why}")),
            None => first_difference(&document, &answer["answer"]),
        };
        wrong.extend(difference.map(|difference| format!("{model}: {difference}\n      {document:.300}")));
    }
    fail_unless_empty("the reference reads or writes our documents otherwise", &wrong);
}
