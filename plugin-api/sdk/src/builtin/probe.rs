//! `probe_integration`: whether a first sync would find what it needs.
//!
//! Each check calls a capability of the connector with a small page, through the same path as a caller's request, so a
//! refusal by the app arrives here as the error that a sync would meet.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lumos_connector_models::{
    Error, ErrorCode, FoundAccountData, FoundEntitlementAssociation, FoundEntitlementData, Page, ProbeCheck,
    ProbeCheckName, ProbeCheckSource, ProbeCheckStatus, ProbeCoverageStatus, ProbeEntitlementTypeResult,
    ProbeIntegration, ProbeResults, ProbeSample, ProbeSampleAccount, ProbeSampleAssociation,
    ProbeSampleEntitlement, ProbeStatus, Request, Response,
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::connector::{CallOptions, Connector};
use crate::error::ConnectorError;
use crate::handler::{self, Outcome};
use crate::redact;
use crate::schema;
use crate::validate::{self, Envelope};

/// Size of the pages that checks read, and so the most samples of a check.
const PAGE_SIZE: i64 = 10;
/// How many pages are read in search of one entitlement of each declared type.
const MAX_ENTITLEMENT_PAGES: usize = 5;
/// Longest time for one check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(180);

/// The checks, in the order in which they are made, and the capability that each needs.
const CHECKS: [(ProbeCheckName, &str); 3] = [
    (ProbeCheckName::Accounts, "list_accounts"),
    (ProbeCheckName::Entitlements, "list_entitlements"),
    (
        ProbeCheckName::EntitlementAssociations,
        "find_entitlement_associations",
    ),
];

/// The checks that can do more than report that they are unsupported; nothing is known of a probe that the connector wrote.
pub(super) fn possible_checks(connector: &Connector) -> Option<Vec<ProbeCheckName>> {
    if connector
        .declaration
        .capabilities
        .contains_key("probe_integration")
    {
        return None;
    }
    let checks = CHECKS
        .iter()
        .filter(|(_, capability)| connector.declaration.capabilities.contains_key(*capability))
        .map(|(check, _)| *check)
        .collect();
    Some(checks)
}

/// Answers `probe_integration`.
pub(crate) async fn probe(connector: &Connector, body: &[u8], options: &CallOptions) -> Outcome {
    let started = Instant::now();
    let probe = Probe {
        connector,
        options,
        request: check_request(connector, body)?,
    };
    let mut checks = Vec::with_capacity(CHECKS.len());
    for (check, capability) in CHECKS {
        checks.push(probe.check(check, capability).await);
    }
    let results = ProbeResults {
        status: status_of(&checks),
        checks,
        duration_ms: Some(milliseconds_since(started)),
    };
    handler::serialize(&Response::new(results))
}

fn check_request(connector: &Connector, body: &[u8]) -> Result<Request<ProbeIntegration>, ConnectorError> {
    let mut document = validate::parse(body)?;
    let payload = schema::input_of::<ProbeIntegration>();
    let envelope = Envelope::Standard { open: false };
    validate::Model::request(envelope, "ProbeIntegrationRequest", payload).check(&mut document)?;
    validate::check_auth(&document, &connector.declaration.auth)?;
    connector.check_settings(document.get("settings"))?;
    serde_json::from_value(document).map_err(|_| {
        ConnectorError::framework(ErrorCode::BadRequest, "Invalid request, expected JSON input.")
    })
}

struct Probe<'a> {
    connector: &'a Connector,
    options: &'a CallOptions,
    request: Request<ProbeIntegration>,
}

type Found<T> = Result<Response<Vec<T>>, Error>;

impl Probe<'_> {
    async fn check(&self, check: ProbeCheckName, capability: &'static str) -> ProbeCheck {
        let started = Instant::now();
        let wanted = &self.request.request.checks;
        if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&check)) {
            let skipped = result(check, ProbeCheckStatus::Skipped, "Not requested in this run.");
            return ProbeCheck {
                duration_ms: None,
                ..skipped
            };
        }
        let mut done = if self.connector.declaration.capabilities.contains_key(capability) {
            self.run(check, capability).await
        } else {
            let message = format!("This connector does not implement {capability}.");
            result(check, ProbeCheckStatus::Unsupported, message)
        };
        done.capability = Some(capability.to_owned());
        done.duration_ms = Some(milliseconds_since(started));
        done
    }

    async fn run(&self, check: ProbeCheckName, capability: &str) -> ProbeCheck {
        let work = async {
            match check {
                ProbeCheckName::Accounts => self.accounts().await,
                ProbeCheckName::Entitlements => self.entitlements().await,
                _ => self.associations().await,
            }
        };
        let error = match tokio::time::timeout(CHECK_TIMEOUT, work).await {
            Ok(Ok(done)) => return done,
            Ok(Err(error)) => error,
            Err(_) => {
                let message = format!("{capability} took longer than {} s.", CHECK_TIMEOUT.as_secs());
                Error::new(
                    &self.connector.declaration.app_id,
                    ErrorCode::RequestTimeout,
                    message,
                )
            }
        };
        let hint = error
            .error_metadata
            .as_ref()
            .and_then(|metadata| metadata.hint.clone());
        let message = hint.unwrap_or_else(|| error.message.clone());
        ProbeCheck {
            error: Some(error),
            ..result(check, ProbeCheckStatus::Failed, message)
        }
    }

    /// Reads one page through the connector's own capability.
    async fn read<T: DeserializeOwned>(&self, capability: &str, token: Option<String>) -> Found<T> {
        let page = Page {
            token,
            size: Some(PAGE_SIZE),
        };
        let document = json!({
            "auth": self.request.auth,
            "credentials": self.request.credentials,
            "request": {},
            "include_raw_data": false,
            "page": page,
            "settings": self.request.settings,
        });
        let raised_in = self
            .connector
            .declaration
            .capabilities
            .get(capability)
            .map_or(capability, |entry| entry.raised_in.as_str());
        let body = document.to_string();
        // The future is boxed because a capability may be the probe's caller in turn.
        let call = Box::pin(self.connector.run(capability, body.as_bytes(), self.options));
        let answer = call.await.and_then(|answer| {
            serde_json::from_slice(&answer).map_err(|_| {
                ConnectorError::invalid_response(format!("{capability} gave an unexpected answer"))
            })
        });
        answer.map_err(|error| {
            let secrets = redact::Secrets::of(&document, self.connector.settings.model().schema());
            error
                .masked(&secrets)
                .into_wire(&self.connector.declaration.app_id, raised_in)
        })
    }

    async fn accounts(&self) -> Result<ProbeCheck, Error> {
        let accounts: Vec<FoundAccountData> = self.read("list_accounts", None).await?.response;
        let Some(first) = accounts.first() else {
            return Ok(result(
                ProbeCheckName::Accounts,
                ProbeCheckStatus::Failed,
                "The credentials work but show no accounts. Look at their scopes and permissions in the app.",
            ));
        };
        let label = [&first.email, &first.username]
            .into_iter()
            .flatten()
            .find(|text| !text.is_empty())
            .unwrap_or(&first.integration_specific_id);
        let message = format!("Fetched {} account(s), including {label}.", accounts.len());
        let mut done = result(ProbeCheckName::Accounts, ProbeCheckStatus::Passed, message);
        done.observed_count = accounts.len() as i64;
        done.samples = accounts.into_iter().map(account_sample).collect();
        Ok(done)
    }

    async fn entitlements(&self) -> Result<ProbeCheck, Error> {
        let declared = &self.connector.declaration.entitlement_types;
        let mut found: Vec<FoundEntitlementData> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut token = None;
        let mut exhausted = false;
        let mut later_error = None;
        for _ in 0..MAX_ENTITLEMENT_PAGES {
            let page = match self
                .read::<FoundEntitlementData>("list_entitlements", token.take())
                .await
            {
                Ok(page) => page,
                Err(error) if found.is_empty() => return Err(error),
                // That entitlements sync is proven; only what later pages hold stays unknown.
                Err(error) => {
                    later_error = Some(error);
                    break;
                }
            };
            seen.extend(
                page.response
                    .iter()
                    .map(|entitlement| entitlement.entitlement_type.clone()),
            );
            found.extend(page.response);
            token = page
                .page
                .and_then(|page| page.token)
                .filter(|token| !token.is_empty());
            exhausted = token.is_none();
            if exhausted || declared.iter().all(|kind| seen.contains(&kind.type_id)) {
                break;
            }
        }
        if found.is_empty() {
            return Ok(result(
                ProbeCheckName::Entitlements,
                ProbeCheckStatus::Failed,
                "No entitlements were found, so there would be nothing to grant to accounts.",
            ));
        }
        let coverage = coverage(declared.iter().map(|kind| &kind.type_id), &seen, exhausted);
        Ok(entitlement_result(found, coverage, later_error))
    }

    async fn associations(&self) -> Result<ProbeCheck, Error> {
        // Accounts only help to confirm; without them the associations are reported as unconfirmed.
        let accounts = match self.read::<FoundAccountData>("list_accounts", None).await {
            Ok(page) => page.response,
            Err(_) => Vec::new(),
        };
        let ids: BTreeSet<String> = accounts
            .into_iter()
            .map(|account| account.integration_specific_id)
            .collect();
        let associations: Vec<FoundEntitlementAssociation> =
            self.read("find_entitlement_associations", None).await?.response;
        if associations.is_empty() {
            return Ok(result(
                ProbeCheckName::EntitlementAssociations,
                ProbeCheckStatus::Failed,
                "No associations were found, so nobody's access would be known.",
            ));
        }
        let linked: BTreeSet<&String> = associations
            .iter()
            .map(|association| &association.account_id)
            .filter(|id| ids.contains(*id))
            .collect();
        let count = associations.len();
        let message = match linked.len() {
            0 => format!(
                "Fetched {count} association(s), none of them of an account that this probe has seen."
            ),
            accounts => format!("Fetched {count} association(s) across {accounts} account(s)."),
        };
        let mut done = result(
            ProbeCheckName::EntitlementAssociations,
            ProbeCheckStatus::Passed,
            message,
        );
        done.observed_count = count as i64;
        done.samples = associations
            .into_iter()
            .map(|association| association_sample(association, &ids))
            .collect();
        Ok(done)
    }
}

fn milliseconds_since(started: Instant) -> i64 {
    i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX)
}

fn result(check: ProbeCheckName, status: ProbeCheckStatus, message: impl Into<String>) -> ProbeCheck {
    ProbeCheck {
        check,
        status,
        source: ProbeCheckSource::Default,
        capability: None,
        observed_count: 0,
        message: Some(message.into()),
        error: None,
        samples: Vec::new(),
        entitlement_types: None,
        custom_attributes: None,
        duration_ms: None,
    }
}

fn entitlement_result(
    found: Vec<FoundEntitlementData>,
    coverage: Vec<ProbeEntitlementTypeResult>,
    later_error: Option<Error>,
) -> ProbeCheck {
    let mut message = format!("Fetched {} entitlement(s).", found.len());
    let missing: Vec<&str> = coverage
        .iter()
        .filter(|kind| kind.status != ProbeCoverageStatus::Found)
        .map(|kind| kind.entitlement_type.as_str())
        .collect();
    if !missing.is_empty() {
        message.push_str(&format!(" No entitlement seen yet for: {}.", missing.join(", ")));
    }
    if let Some(error) = later_error {
        message.push_str(&format!(" Reading further pages failed: {}", error.message));
    }
    let mut done = result(ProbeCheckName::Entitlements, ProbeCheckStatus::Passed, message);
    done.observed_count = found.len() as i64;
    done.samples = found.into_iter().map(entitlement_sample).collect();
    done.entitlement_types = Some(coverage).filter(|coverage| !coverage.is_empty());
    done
}

/// A type that was not seen is missing only if everything was read.
fn coverage<'a>(
    declared: impl Iterator<Item = &'a String>,
    seen: &BTreeSet<String>,
    exhausted: bool,
) -> Vec<ProbeEntitlementTypeResult> {
    declared
        .map(|kind| ProbeEntitlementTypeResult {
            entitlement_type: kind.clone(),
            status: match (seen.contains(kind), exhausted) {
                (true, _) => ProbeCoverageStatus::Found,
                (false, true) => ProbeCoverageStatus::NotFound,
                (false, false) => ProbeCoverageStatus::NotChecked,
            },
        })
        .collect()
}

/// A failed check fails the run, as does one in which nothing could be tried; a gap in coverage makes it partial.
fn status_of(checks: &[ProbeCheck]) -> ProbeStatus {
    let any = |status| checks.iter().any(|check| check.status == status);
    let tried = any(ProbeCheckStatus::Passed) || any(ProbeCheckStatus::Failed);
    if any(ProbeCheckStatus::Failed) || (any(ProbeCheckStatus::Unsupported) && !tried) {
        return ProbeStatus::Failed;
    }
    let gap = checks
        .iter()
        .flat_map(|check| check.entitlement_types.iter().flatten())
        .any(|kind| kind.status != ProbeCoverageStatus::Found);
    if gap {
        ProbeStatus::Partial
    } else {
        ProbeStatus::Passed
    }
}

fn account_sample(account: FoundAccountData) -> ProbeSample {
    ProbeSample::Account(ProbeSampleAccount {
        kind: "account".to_owned(),
        integration_specific_id: account.integration_specific_id,
        email: account.email,
        username: account.username,
        user_status: account.user_status,
        custom_attributes: None,
    })
}

fn entitlement_sample(entitlement: FoundEntitlementData) -> ProbeSample {
    ProbeSample::Entitlement(ProbeSampleEntitlement {
        kind: "entitlement".to_owned(),
        integration_specific_id: entitlement.integration_specific_id,
        integration_specific_resource_id: entitlement.integration_specific_resource_id,
        entitlement_type: entitlement.entitlement_type,
        label: entitlement.label,
    })
}

fn association_sample(association: FoundEntitlementAssociation, accounts: &BTreeSet<String>) -> ProbeSample {
    ProbeSample::Association(ProbeSampleAssociation {
        kind: "association".to_owned(),
        linked_to_sampled_account: accounts.contains(&association.account_id),
        account_id: association.account_id,
        integration_specific_entitlement_id: association.integration_specific_entitlement_id,
        integration_specific_resource_id: association.integration_specific_resource_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: ProbeCheckStatus, kinds: &[ProbeCoverageStatus]) -> ProbeCheck {
        let kind = |status: &ProbeCoverageStatus| ProbeEntitlementTypeResult {
            entitlement_type: "role".to_owned(),
            status: *status,
        };
        ProbeCheck {
            entitlement_types: Some(kinds.iter().map(kind).collect()),
            ..result(ProbeCheckName::Entitlements, status, "")
        }
    }

    #[test]
    fn the_worst_check_decides_the_run() {
        use ProbeCheckStatus::{Failed, Passed, Skipped, Unsupported};
        use ProbeCoverageStatus::{Found, NotChecked, NotFound};
        let cases = [
            (vec![check(Passed, &[Found])], ProbeStatus::Passed),
            (vec![check(Passed, &[Found, NotFound])], ProbeStatus::Partial),
            (vec![check(Passed, &[NotChecked])], ProbeStatus::Partial),
            (
                vec![check(Passed, &[NotFound]), check(Failed, &[])],
                ProbeStatus::Failed,
            ),
            (
                vec![check(Unsupported, &[]), check(Skipped, &[])],
                ProbeStatus::Failed,
            ),
            (
                vec![check(Unsupported, &[]), check(Passed, &[])],
                ProbeStatus::Passed,
            ),
            (vec![check(Skipped, &[])], ProbeStatus::Passed),
        ];
        for (checks, expected) in cases {
            assert_eq!(status_of(&checks), expected, "{checks:?}");
        }
    }

    #[test]
    fn a_type_is_missing_only_if_everything_was_read() {
        let declared = ["a".to_owned(), "b".to_owned()];
        let seen = BTreeSet::from(["a".to_owned()]);
        let statuses = |exhausted| -> Vec<ProbeCoverageStatus> {
            coverage(declared.iter(), &seen, exhausted)
                .iter()
                .map(|kind| kind.status)
                .collect()
        };
        assert_eq!(
            statuses(true),
            [ProbeCoverageStatus::Found, ProbeCoverageStatus::NotFound]
        );
        assert_eq!(
            statuses(false),
            [ProbeCoverageStatus::Found, ProbeCoverageStatus::NotChecked]
        );
    }
}
