//! `call`: one capability, through an agent or without one.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use super::args::{CallArgs, Context};
use super::author_log::AuthorLog;
use super::exit::{Exit, Failure};
use super::files::{self, Access};
use super::throwaway::Copy;
use super::{connector, output, remote};
use crate::call::Call;
use crate::config::Config;
use crate::config::model::LogLevel;
use crate::domain::{AppId, CapabilityName, Level};

/// Without an agent nobody configures a timeout; this is the agent's default.
const TIMEOUT: Duration = Duration::from_secs(1800);

pub(super) async fn run(context: &Context, args: CallArgs) -> Result<Exit, Failure> {
    let body = request(&args)?;
    let (answer, not_permitted) = match (&args.file, args.first.as_str(), args.second.as_deref()) {
        (Some(file), name, None) => {
            let config = connector::trial_config(context)?;
            (alone(file, config, capability(name)?, body).await?, false)
        }
        (None, app_id, Some(name)) => {
            through_agent(
                context,
                &args,
                &connector::parse(app_id)?,
                &capability(name)?,
                body,
            )
            .await?
        }
        (Some(_), _, Some(_)) => return Err(usage("--file names the connector; give the capability alone")),
        (None, _, None) => return Err(usage("the capability is missing")),
    };
    deliver(&args, &answer)?;
    if not_permitted {
        return Ok(Exit::NotPermitted);
    }
    Ok(if is_error(&answer) { Exit::Failed } else { Exit::Ok })
}

fn usage(message: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        message,
        "lumos-agent call APP_ID CAPABILITY, or lumos-agent call --file CONNECTOR CAPABILITY",
    )
}

fn capability(name: &str) -> Result<CapabilityName, Failure> {
    name.parse().map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("`{}`: {error}", name.escape_debug()),
            "for example: info",
        )
    })
}

/// The request's JSON, checked before anything is started for it.
fn request(args: &CallArgs) -> Result<Bytes, Failure> {
    let (text, place) = match (&args.json, &args.json_file) {
        (Some(text), _) => (text.clone().into_bytes(), "--json".to_owned()),
        (None, Some(file)) if file.as_os_str() == "-" => {
            let mut text = Vec::new();
            let read = std::io::stdin().read_to_end(&mut text);
            read.map_err(|error| Failure::file("read", Path::new("standard input"), &error))?;
            (text, "standard input".to_owned())
        }
        (None, Some(file)) => {
            let text = std::fs::read(file).map_err(|error| Failure::file("read", file, &error))?;
            (text, file.display().to_string())
        }
        (None, None) => (b"{}".to_vec(), String::new()),
    };
    // The error names line and column, and quotes nothing: there are credentials in a request.
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&text) {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "the request in {place} is not JSON: line {}, column {}",
                error.line(),
                error.column()
            ),
            "correct it; a request is a JSON object such as {\"request\": {}}",
        ));
    }
    Ok(text.into())
}

async fn through_agent(
    context: &Context,
    args: &CallArgs,
    app_id: &AppId,
    capability: &CapabilityName,
    body: Bytes,
) -> Result<(Bytes, bool), Failure> {
    let client = remote::client(context, &args.remote)?;
    let reply = client
        .post(&format!("/connectors/{app_id}/{capability}"), body)
        .await?;
    let not_permitted = matches!(reply.status.as_u16(), 401 | 403);
    Ok((reply.body, not_permitted))
}

/// Loads the connector, calls it, ends it.
async fn alone(
    file: &Path,
    config: Option<Arc<Config>>,
    capability: CapabilityName,
    body: Bytes,
) -> Result<Bytes, Failure> {
    let mut copy = Copy::of(file, config)?;
    copy.log_to(&AuthorLog::from_environment(LogLevel::Error)?)?;
    let manifest = copy.manifest().await?;
    let started = copy.start(&manifest, 1).await?;
    copy.tell_sandbox(&manifest, &started.confined);
    let call = Call {
        request_id: Arc::from("call"),
        caller: Arc::from("local"),
        app_id: manifest.app_id,
        capability,
        // Nobody repeats or cancels it.
        level: Level::Write,
        body,
        deadline: Instant::now() + TIMEOUT,
        traceparent: None,
        observability: Arc::from([]),
        secrets: Arc::from([]),
    };
    let failed = |error: crate::hosting::HostCallError| {
        Failure::new(
            Exit::Failed,
            format!("{}: {error}", file.display()),
            "what the connector wrote stands above",
        )
    };
    let mut pending = started.host.begin(&call, TIMEOUT).map_err(failed)?;
    let answer = pending.answer().await;
    copy.end(&started).await;
    answer.map_err(failed)
}

fn deliver(args: &CallArgs, answer: &Bytes) -> Result<(), Failure> {
    let Some(path) = &args.result_file_path else {
        return output::bytes(answer);
    };
    let wrong = |error: std::io::Error| Failure::file("write", path, &error);
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(answer).map_err(wrong)?;
        files::replace(path, &gzip.finish().map_err(wrong)?, Access::Private).map_err(wrong)?;
    } else {
        files::replace(path, answer, Access::Private).map_err(wrong)?;
    }
    output::note(format!("the answer is in {}", path.display()));
    Ok(())
}

/// Whether it is an error envelope. What is no object is no envelope.
fn is_error(answer: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Envelope {
        #[serde(default)]
        is_error: Value,
    }
    serde_json::from_slice::<Envelope>(answer).is_ok_and(|envelope| envelope.is_error == Value::Bool(true))
}
