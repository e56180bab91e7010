//! The same declarations and the same calls, answered by the reference SDK and by ours.
//!
//! `LUMOS_TEST_REFERENCE` names a virtual environment with the reference in it; without it the tests say so and pass.
//! `tests/reference/declarations.py` and [`declarations`] declare the same connectors. Where an answer is meant to differ
//! stands in `tests/reference/differences.toml`.

mod cases;
mod compare;
mod declarations;
mod differences;
mod failures;
mod oracle;

use cases::Case;
use differences::Differences;
use oracle::Oracle;

#[test]
fn every_answer_is_that_of_the_reference_but_for_the_written_differences() {
    let Some(mut oracle) = Oracle::start() else {
        println!("skipped: LUMOS_TEST_REFERENCE names no virtual environment with connector-py");
        return;
    };
    let connectors = declarations::all();
    let mut differences = Differences::read();
    let mut unexpected = Vec::new();
    let cases = cases::all();
    for Case {
        name,
        integration,
        capability,
        body,
    } in &cases
    {
        let expected = oracle.call(integration, capability, body);
        let ours = connectors[integration.as_str()].call_bytes(capability, body.as_bytes());
        for difference in compare::compare(&expected, &ours) {
            if !differences.allow(capability, name, &difference) {
                unexpected.push(format!("{capability} {name}: {difference}"));
            }
        }
    }
    println!("{} calls", cases.len());
    unexpected.extend(differences.unused());
    assert!(
        unexpected.is_empty(),
        "{} surprises:\n{}",
        unexpected.len(),
        unexpected.join("\n")
    );
}
