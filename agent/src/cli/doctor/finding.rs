//! What `doctor` says: findings, each with a severity, a name that scripts can rely on, and a remedy.

use std::borrow::Cow;

use serde::Serialize;

/// How bad it is. The order is that of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Something does not work.
    Failure,
    /// It works, but will not go on to, or is not safe.
    Warning,
    /// Worth knowing; nothing is wrong.
    Note,
    /// It is as it should be.
    Fine,
}

/// What it is about. The order is that in which things depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Area {
    Configuration,
    Permissions,
    Service,
    Agent,
    Ports,
    Certificates,
    Tokens,
    Clock,
    Disk,
    Limits,
    Sandbox,
    Connectors,
    Proxy,
}

impl Area {
    /// As it stands in JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Area::Configuration => "configuration",
            Area::Permissions => "permissions",
            Area::Service => "service",
            Area::Agent => "agent",
            Area::Ports => "ports",
            Area::Certificates => "certificates",
            Area::Tokens => "tokens",
            Area::Clock => "clock",
            Area::Disk => "disk",
            Area::Limits => "limits",
            Area::Sandbox => "sandbox",
            Area::Connectors => "connectors",
            Area::Proxy => "proxy",
        }
    }
}

macro_rules! checks {
    ($($name:ident = $text:literal, $area:ident;)+) => {
        /// Everything that `doctor` can find besides the conditions that a running agent tells. The names are part of the
        /// interface; `docs/troubleshooting.md` has a row for each.
        #[cfg_attr(windows, expect(dead_code, reason = "some are about what Linux alone has"))]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Check {
            $($name,)+
        }

        impl Check {
            /// All of them.
            #[cfg(test)]
            pub(super) const ALL: &'static [Check] = &[$(Check::$name),+];

            /// As it stands in JSON.
            pub(super) const fn id(self) -> &'static str {
                match self { $(Check::$name => $text,)+ }
            }

            const fn area(self) -> Area {
                match self { $(Check::$name => Area::$area,)+ }
            }
        }
    };
}

checks! {
    ConfigurationUnusable = "configuration_unusable", Configuration;
    ConfigurationWarning = "configuration_warning", Configuration;
    EnvironmentOverrides = "environment_overrides", Configuration;
    PermissionTooWide = "permission_too_wide", Permissions;
    OwnerNotTrusted = "owner_not_trusted", Permissions;
    NotExamined = "not_examined", Permissions;
    ServiceFailed = "service_failed", Service;
    ServiceStopped = "service_stopped", Service;
    ServiceNotEnabled = "service_not_enabled", Service;
    ServiceRestarted = "service_restarted", Service;
    ServiceUnitChanged = "service_unit_changed", Service;
    AgentDown = "agent_down", Agent;
    AgentSilent = "agent_silent", Agent;
    AgentNotPermitted = "agent_not_permitted", Agent;
    AgentOtherVersion = "agent_other_version", Agent;
    AgentDraining = "agent_draining", Agent;
    AgentOtherConfiguration = "agent_other_configuration", Agent;
    PortTaken = "port_taken", Ports;
    PortNotListening = "port_not_listening", Ports;
    PortPrivileged = "port_privileged", Ports;
    AddressMissing = "address_missing", Ports;
    LoopbackOnly = "loopback_only", Ports;
    FirewallActive = "firewall_active", Ports;
    CertificateUnusable = "certificate_unusable", Certificates;
    CertificateWarning = "certificate_warning", Certificates;
    CertificateNames = "certificate_names", Certificates;
    AuthorityExpires = "authority_expires", Certificates;
    AuthorityExpired = "authority_expired", Certificates;
    AuthorityUnusable = "authority_unusable", Certificates;
    RevocationListOutdated = "revocation_list_outdated", Certificates;
    TokensUnusable = "tokens_unusable", Tokens;
    NoTokens = "no_tokens", Tokens;
    TokenExpired = "token_expired", Tokens;
    TokenExpires = "token_expires", Tokens;
    ClockWrong = "clock_wrong", Clock;
    ClockJumps = "clock_jumps", Clock;
    ClockNotSynchronised = "clock_not_synchronised", Clock;
    DiskFull = "disk_full", Disk;
    DiskLow = "disk_low", Disk;
    InodesLow = "inodes_low", Disk;
    DiskReadOnly = "disk_read_only", Disk;
    OpenFilesLow = "open_files_low", Limits;
    CoreFiles = "core_files", Limits;
    MemoryNotDelegated = "memory_not_delegated", Limits;
    NoLandlock = "no_landlock", Sandbox;
    NoSeccomp = "no_seccomp", Sandbox;
    NotIsolated = "not_isolated", Sandbox;
    NoConnectors = "no_connectors", Connectors;
    ConnectorsUnreadable = "connectors_unreadable", Connectors;
    ConnectorRefused = "connector_refused", Connectors;
    ConnectorShadowed = "connector_shadowed", Connectors;
    ConnectorBackingOff = "connector_backing_off", Connectors;
    ConnectorQuarantined = "connector_quarantined", Connectors;
    ConnectorStarting = "connector_starting", Connectors;
    ConnectorSwitchedOff = "connector_switched_off", Connectors;
    ConnectorNotReplaced = "connector_not_replaced", Connectors;
    ConnectorWarning = "connector_warning", Connectors;
    ConnectorLogErrors = "connector_log_errors", Connectors;
    ProxyInvalid = "proxy_invalid", Proxy;
    ProxyAmbiguous = "proxy_ambiguous", Proxy;
    ProxyUnreachable = "proxy_unreachable", Proxy;
    ProxyExceptionsInvalid = "proxy_exceptions_invalid", Proxy;
    ProxySet = "proxy_set", Proxy;
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) area: Area,
    /// `None` where all is fine.
    pub(crate) id: Option<Cow<'static, str>>,
    /// What is so, and where.
    pub(crate) message: String,
    /// What to do.
    pub(crate) remedy: Option<String>,
}

/// Findings as they come in.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn failure(&mut self, check: Check, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(Severity::Failure, check, message.into(), remedy.into());
    }

    pub(super) fn warning(&mut self, check: Check, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(Severity::Warning, check, message.into(), remedy.into());
    }

    pub(super) fn note(&mut self, check: Check, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(Severity::Note, check, message.into(), remedy.into());
    }

    pub(super) fn fine(&mut self, area: Area, message: impl Into<String>) {
        self.0.push(Finding {
            severity: Severity::Fine,
            area,
            id: None,
            message: message.into(),
            remedy: None,
        });
    }

    fn add(&mut self, severity: Severity, check: Check, message: String, remedy: String) {
        self.0.push(Finding {
            severity,
            area: check.area(),
            id: Some(check.id().into()),
            message,
            remedy: (!remedy.is_empty()).then_some(remedy),
        });
    }

    /// For snapshots: each finding on one line, without what is fine.
    #[cfg(test)]
    pub(super) fn told(&self) -> String {
        let wrong = self.0.iter().filter(|finding| finding.severity != Severity::Fine);
        let lines = wrong.map(|finding| {
            let remedy = finding.remedy.as_deref().unwrap_or("-");
            let id = finding.id.as_deref().unwrap_or("-");
            format!("{:?} {id}: {}\n    {remedy}", finding.severity, finding.message)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
