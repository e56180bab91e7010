//! Which agent a command talks to, and with which credential.

use std::io::Read as _;
use std::path::Path;

use http::StatusCode;
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::args::{Context, RemoteArgs};
use super::exit::{Exit, Failure};
use crate::control::client::{Client, ClientFiles, Reply};

const TOKEN_VARIABLE: &str = "LUMOS_AGENT_TOKEN";

/// The agent that the flags name: on this machine, unless `--url` says otherwise.
pub(super) fn client(context: &Context, args: &RemoteArgs) -> Result<Client, Failure> {
    let Some(url) = &args.url else {
        return local(context);
    };
    if url.scheme() != "https" {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "--url begins with {}://, which would send the token in clear",
                url.scheme()
            ),
            "give https://HOST:8443/connectors",
        ));
    }
    let certificate = match (&args.client_cert, &args.client_key) {
        (Some(certificate), Some(private_key)) => Some(ClientFiles {
            certificate,
            private_key,
        }),
        _ => None,
    };
    let token = token(args.token.as_deref(), certificate.is_some())?;
    Ok(Client::remote(url, token, certificate, args.ca.as_deref())?)
}

/// The agent on this machine. It can be asked even while its configuration is broken, since it runs with the last good one.
pub(super) fn local(context: &Context) -> Result<Client, Failure> {
    let loader = context.loader();
    let error = match loader.load() {
        Ok(loaded) => return Ok(Client::local(&loaded.config.agent.state_dir)),
        Err(error) => error,
    };
    match loader.state_dir() {
        Some(directory) if directory.join("agent.lock").exists() => {
            super::output::note(format!("warning: {}", error.one_line()));
            Ok(Client::local(&directory))
        }
        _ => Err(error.into()),
    }
}

/// The token, from wherever it does not stand on a command line. There may be `none` beside a certificate.
fn token(given: Option<&str>, none: bool) -> Result<Option<SecretString>, Failure> {
    let text = match given {
        None => match std::env::var(TOKEN_VARIABLE) {
            Ok(text) => text,
            Err(_) if none => return Ok(None),
            Err(_) => {
                return Err(Failure::new(
                    Exit::Usage,
                    "--url needs a token or a client certificate",
                    format!(
                        "give --token @FILE, or --token - for standard input, or set {TOKEN_VARIABLE}; or --client-cert and --client-key"
                    ),
                ));
            }
        },
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| Failure::file("read the token from", Path::new("standard input"), &error))?;
            text
        }
        Some(other) => match other.strip_prefix('@') {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Failure::file("read the token from", Path::new(path), &error))?,
            None => {
                return Err(Failure::new(
                    Exit::Usage,
                    "--token takes no token itself: every user of this machine can read command lines",
                    format!(
                        "write it to a file and give --token @FILE, or --token - for standard input, or set {TOKEN_VARIABLE}"
                    ),
                ));
            }
        },
    };
    let token = text.trim();
    if token.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "the token is empty",
            "make one: lumos-agent token create --name NAME",
        ));
    }
    Ok(Some(SecretString::from(token)))
}

/// The answer as `T`, where the agent answered well.
pub(super) fn expect<T: DeserializeOwned>(reply: &Reply) -> Result<T, Failure> {
    if !reply.status.is_success() {
        return Err(refused(reply));
    }
    serde_json::from_slice(&reply.body).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("the agent's answer is not what this version expects: {error}"),
            "use the command of the agent's own version",
        )
    })
}

/// What an error of the agent means for the command.
pub(super) fn refused(reply: &Reply) -> Failure {
    let envelope: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = envelope["error"]["message"]
        .as_str()
        .or(envelope["error"].as_str());
    let message = super::output::printable(text.unwrap_or("it gave no reason"));
    let status = reply.status;
    let (exit, help) = match status {
        StatusCode::UNAUTHORIZED => (
            Exit::NotPermitted,
            "give a token that `lumos-agent token list` shows as valid",
        ),
        StatusCode::FORBIDDEN => (Exit::NotPermitted, "give a token with the scope that is missing"),
        StatusCode::NOT_FOUND => (Exit::Failed, "`lumos-agent connector list` shows what there is"),
        _ => (Exit::Failed, "look into the agent's log"),
    };
    Failure::new(
        exit,
        format!("the agent answered {}: {message}", status.as_u16()),
        help,
    )
}
