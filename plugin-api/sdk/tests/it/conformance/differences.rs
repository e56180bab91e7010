//! Where the models differ from the reference's, by type, member and case, and why.
//!
//! The tests fail where there is a difference that stands not here, and where one stands here that is none any more.

use std::collections::BTreeSet;

/// A difference that is meant.
pub(super) struct Difference {
    /// The reference's name for the type, with the member if it is about one.
    pub(super) at: &'static str,
    /// The case of the documents' test, or `schema`.
    pub(super) case: &'static str,
    pub(super) why: &'static str,
}

/// Differences that were met.
#[derive(Default)]
pub(super) struct Met(BTreeSet<(&'static str, &'static str)>);

impl Met {
    /// Whether that difference is meant.
    pub(super) fn is_meant(&mut self, at: &str, case: &str) -> bool {
        let found = DIFFERENCES
            .iter()
            .find(|difference| difference.at == at && difference.case == case);
        self.0
            .extend(found.map(|difference| (difference.at, difference.case)));
        found.is_some()
    }

    /// Those of `concerned` that are none any more.
    pub(super) fn forgotten(&self, concerned: impl Fn(&Difference) -> bool) -> Vec<String> {
        DIFFERENCES
            .iter()
            .filter(|difference| concerned(difference))
            .filter(|difference| !self.0.contains(&(difference.at, difference.case)))
            .map(|difference| {
                format!(
                    "{} ({}) is no difference any more; take it out of differences.rs, where the reason is: {}",
                    difference.at, difference.case, difference.why
                )
            })
            .collect()
    }
}

macro_rules! differences {
    ($($at:literal, $case:literal: $why:expr;)*) => {
        /// All of them.
        pub(super) const DIFFERENCES: &[Difference] = &[
            $(Difference { at: $at, case: $case, why: $why },)*
        ];
    };
}

differences! {
    "ConnectorErrorCodeUnion", "schema": NEVER_TRAVELS;
    "Effect", "schema": NEVER_TRAVELS;
    "ProbeSample", "schema": NEVER_TRAVELS;
    "ExecutionEffect", "schema": "an enumeration that no model refers to; our `Effect` has its values";
    "StandardCapabilityName", "schema":
        "an enumeration that no model refers to; our table of capabilities has its values, which a test compares";

    "ActivityRecord.activity_type", "a text": A_TEXT_AS_DOCUMENTED;
    "ApplicationActivityRecord.activity_type", "a text": A_TEXT_AS_DOCUMENTED;

    "ListUpdatedAccounts.since", "a number": TIMES_ARE_TEXTS;
    "ListUpdatedAccounts.since", "a negative number": TIMES_ARE_TEXTS;
    "ListUpdatedAccounts.since", "a fraction": TIMES_ARE_TEXTS;
    "ListUpdatedAccounts.since", "a whole fraction": TIMES_ARE_TEXTS;
    "ListUpdatedAccounts.since", "the time 1700000000": TIMES_ARE_TEXTS;
    "DataRecency.data", "an object of a number": TIMES_ARE_TEXTS;
    "DataRecency.data", "an object of a negative number": TIMES_ARE_TEXTS;
    "DataRecency.data", "an object of a fraction": TIMES_ARE_TEXTS;
    "DataRecency.data", "an object of a whole fraction": TIMES_ARE_TEXTS;
    "DataRecency.data", "the time 1700000000": TIMES_ARE_TEXTS;

    "Error.error_metadata", "absent": METADATA_IS_NOT_MADE_UP;
    "Error.error_metadata", "null": METADATA_IS_NOT_MADE_UP;
    "Error.error_code", "a text": "codes of versions to come are kept, so that an error is never lost for its code";
    "Error.error_code", "the value api_error": OLD_CODES_ARE_KEPT;
    "Error.error_code", "the value client_call_error": OLD_CODES_ARE_KEPT;
    "Error.error_code", "the value not_implemented": OLD_CODES_ARE_KEPT;
    "Error.error_code", "the value unauthenticated": OLD_CODES_ARE_KEPT;
    "Error.error_code", "the value unexpected_error": OLD_CODES_ARE_KEPT;
}

const NEVER_TRAVELS: &str = "a class around one of several models, to which no model of the reference refers";
const A_TEXT_AS_DOCUMENTED: &str =
    "the API's document declares a text, so we read one besides what the reference writes";
const TIMES_ARE_TEXTS: &str = "the API's document declares a date and time; pydantic also guesses whether a number is seconds or milliseconds";
const METADATA_IS_NOT_MADE_UP: &str = "the reference makes up an error's metadata when it reads one without; ours are made where the error arises";
const OLD_CODES_ARE_KEPT: &str = "the reference replaces a code that was given up when it reads one; ours are replaced where the error arises";
