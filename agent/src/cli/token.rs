//! `token create`, `list` and `revoke`.

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::args::{Context, TokenArgs, TokenCommand};
use super::exit::{Exit, Failure};
use super::output;
use crate::auth::{TokenFile, TokenFileError, TokenRecord, read_last_use};
use crate::config::check::SCOPE_REMEDY;
use crate::config::{Config, value};
use crate::domain::{Scope, Scopes};

pub(super) fn run(context: &Context, args: TokenArgs) -> Result<Exit, Failure> {
    let config = context.load()?.config;
    let file = TokenFile::new(&config.agent.token_file);
    match args.command {
        TokenCommand::Create {
            name,
            scopes,
            expires,
        } => create(&file, &name, &scopes, expires.as_deref())?,
        TokenCommand::List(output) => {
            let rows = list(&file, &config)?;
            output.print(&rows, |rows| table(rows))?;
        }
        TokenCommand::Revoke { name } => {
            let gone = file.revoke(&name).map_err(|error| refused(&error))?;
            output::note(format!(
                "token `{}` ({}) is refused from now on",
                gone.name, gone.id
            ));
        }
    }
    Ok(Exit::Ok)
}

fn refused(error: &TokenFileError) -> Failure {
    let exit = match error {
        TokenFileError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            Exit::NotPermitted
        }
        TokenFileError::BadName(_) => Exit::Usage,
        _ => Exit::Failed,
    };
    let message = match error {
        TokenFileError::Io { source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    };
    Failure::new(exit, message, error.remedy())
}

fn create(file: &TokenFile, name: &str, scopes: &[String], expires: Option<&str>) -> Result<(), Failure> {
    let scopes = scopes
        .iter()
        .map(|scope| scope.parse::<Scope>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| {
            Failure::new(
                Exit::Usage,
                error.to_string().split("; write").next().unwrap_or_default(),
                SCOPE_REMEDY,
            )
        })?;
    let expires_at = expires.map(expiry).transpose()?;
    let token = file
        .create(name, Scopes(scopes.clone()), expires_at)
        .map_err(|error| refused(&error))?;
    let id = file
        .list()
        .map_err(|error| refused(&error))?
        .into_iter()
        .find(|record| record.name == name)
        .map(|record| record.id);
    output::json(&json!({
        "id": id,
        "name": name,
        "token": token.expose_secret(),
        "scopes": scopes,
        "expires_at": expires_at,
    }))?;
    output::note("the token is not shown again");
    Ok(())
}

/// When what lasts `text` from now on ends.
pub(super) fn expiry(text: &str) -> Result<Timestamp, Failure> {
    let wrong = || {
        Failure::new(
            Exit::Usage,
            format!("`{}` is not a duration", text.escape_debug()),
            "give how long it shall last: --expires 90d",
        )
    };
    let span = value::duration(text)
        .filter(|span| !span.is_zero())
        .ok_or_else(wrong)?;
    Timestamp::now().checked_add(span).map_err(|_| wrong())
}

fn list(file: &TokenFile, config: &Config) -> Result<Vec<Value>, Failure> {
    let used = read_last_use(&config.agent.state_dir);
    let now = Timestamp::now();
    let row = |record: TokenRecord| {
        json!({
            "id": record.id,
            "name": record.name,
            "scopes": record.scopes,
            "created_at": record.created_at,
            "expires_at": record.expires_at,
            "expired": record.expires_at.is_some_and(|end| end <= now),
            "last_used_at": used.get(&record.id),
        })
    };
    Ok(file
        .list()
        .map_err(|error| refused(&error))?
        .into_iter()
        .map(row)
        .collect())
}

fn table(rows: &[Value]) -> String {
    if rows.is_empty() {
        return "no tokens; make one with `lumos-agent token create --name NAME --scope '*:*'`".into();
    }
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let scopes: Vec<_> = row["scopes"].as_array().into_iter().flatten().map(text).collect();
            vec![
                text(&row["id"]),
                text(&row["name"]),
                scopes.join(" "),
                output::moment(&text(&row["created_at"])),
                output::moment(&text(&row["expires_at"])),
                output::moment(&text(&row["last_used_at"])),
            ]
        })
        .collect();
    output::table(
        &["ID", "NAME", "SCOPES", "CREATED", "EXPIRES", "LAST USED"],
        &cells,
    )
}
