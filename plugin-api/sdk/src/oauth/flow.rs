//! The requests of OAuth 2.0 (RFC 6749), and what becomes of their answers.
#![forbid(unsafe_code)]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use lumos_connector_models::{
    AuthorizationUrl, BasicCredential, GetAuthorizationUrl, HandleAuthorizationCallback,
    HandleClientCredentials, JsonObject, OauthCredentials, RefreshAccessToken, Response, Secret,
};
use reqwest::{Method, Url};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::{ClientAuth, OAuth, TokenRequest, refusal};
use crate::auth::NoAuth;
use crate::context::Context;
use crate::error::{ConnectorError, ErrorKind};
use crate::settings::Settings;

type Tokens = Result<Response<OauthCredentials>, ConnectorError>;
type Parameters<'a> = Vec<(&'static str, &'a str)>;

/// The client of a request.
struct Client<'a> {
    id: &'a str,
    secret: &'a Secret,
}

pub(super) fn authorization_url<S: Settings>(
    oauth: &OAuth<S>,
    settings: &S,
    input: &GetAuthorizationUrl,
) -> Result<AuthorizationUrl, ConnectorError> {
    let address = oauth.authorization.as_ref().ok_or_else(|| {
        ConnectorError::of(ErrorKind::MissingParameter)
            .with_message("The connector declares no address where a user gives consent.")
    })?;
    let address = address.of(settings);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("client_id", input.client_id.as_str()),
        ("response_type", "code"),
        ("scope", &oauth.scope(&input.scopes, settings)),
        ("redirect_uri", &input.redirect_uri),
        ("state", &input.state),
    ]);
    let mut code_verifier = None;
    if oauth.pkce {
        let verifier = BASE64.encode(random()?);
        let challenge = BASE64.encode(Sha256::digest(&verifier));
        query.extend_pairs([
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ]);
        code_verifier = Some(Secret::from(verifier));
    }
    let separator = if address.contains('?') { '&' } else { '?' };
    Ok(AuthorizationUrl {
        authorization_url: format!("{address}{separator}{}", query.finish()),
        code_verifier,
    })
}

pub(super) async fn callback<S: Settings>(
    oauth: &OAuth<S>,
    ctx: &Context<NoAuth, S>,
    input: &HandleAuthorizationCallback,
) -> Tokens {
    let (code, redirect_uri) = returned(input)?;
    let mut parameters = vec![
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &redirect_uri),
    ];
    if let Some(verifier) = input
        .code_verifier
        .as_ref()
        .filter(|text| !text.expose().is_empty())
    {
        parameters.push(("code_verifier", verifier.expose()));
    }
    let client = Client {
        id: &input.client_id,
        secret: &input.client_secret,
    };
    obtain(oauth, ctx, &client, parameters).await
}

pub(super) async fn client_credentials<S: Settings>(
    oauth: &OAuth<S>,
    ctx: &Context<NoAuth, S>,
    input: &HandleClientCredentials,
) -> Tokens {
    let scope = oauth.scope(&input.scopes, &ctx.settings);
    let mut parameters = vec![("grant_type", "client_credentials")];
    if !scope.is_empty() {
        parameters.push(("scope", &scope));
    }
    let client = Client {
        id: &input.client_id,
        secret: &input.client_secret,
    };
    obtain(oauth, ctx, &client, parameters).await
}

pub(super) async fn refresh<S: Settings>(
    oauth: &OAuth<S>,
    ctx: &Context<NoAuth, S>,
    input: &RefreshAccessToken,
) -> Tokens {
    let parameters = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", input.refresh_token.expose()),
    ];
    let client = Client {
        id: &input.client_id,
        secret: &input.client_secret,
    };
    obtain(oauth, ctx, &client, parameters).await
}

/// The code in the address at which the user came back, and that address without it.
fn returned(input: &HandleAuthorizationCallback) -> Result<(String, String), ConnectorError> {
    let refused = |message: String| Err(ConnectorError::bad_request(message).with_retryable(false));
    let Ok(url) = Url::parse(input.redirect_uri_with_code.expose()) else {
        return refused("The address at which the user came back is not a URL.".to_owned());
    };
    let parameter = |name: &str| {
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    if let Some(error) = parameter("error") {
        let message = format!("The authorization server gave no code: {}", code_of(&error));
        return Err(ConnectorError::permission_denied(message).with_retryable(false));
    }
    if let (Some(sent), Some(came)) = (&input.state, parameter("state"))
        && !sent.is_empty()
        && *sent != came
    {
        return refused("The user came back with another state than was sent.".to_owned());
    }
    let Some(code) = parameter("code") else {
        return refused("The address at which the user came back has no code.".to_owned());
    };
    let address = input.redirect_uri_with_code.expose();
    let end = address.find(['?', '#']).unwrap_or(address.len());
    Ok((code, address[..end].to_owned()))
}

/// An error of an authorization server (RFC 6749, section 4.1.2.1), if it looks like one: the rest of the address is a
/// caller's text.
fn code_of(error: &str) -> &str {
    let plain = error.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
    if plain && error.len() <= 40 {
        error
    } else {
        "it said what is no error of OAuth"
    }
}

async fn obtain<S: Settings>(
    oauth: &OAuth<S>,
    ctx: &Context<NoAuth, S>,
    client: &Client<'_>,
    mut parameters: Parameters<'_>,
) -> Tokens {
    let address = oauth.token.of(&ctx.settings);
    let mut http = ctx.http(&address)?.no_redirects();
    match oauth.client_auth {
        ClientAuth::Basic => {
            http = http.basic(&BasicCredential {
                username: client.id.to_owned(),
                password: client.secret.clone(),
            });
        }
        ClientAuth::Body => {
            parameters.push(("client_id", client.id));
            parameters.push(("client_secret", client.secret.expose()));
        }
    }
    let method = if oauth.get { Method::GET } else { Method::POST };
    let request = http.request(method, &address).accept_any_status();
    let request = match oauth.request {
        TokenRequest::Form => request.form(&parameters),
        TokenRequest::Json => request.json(&object(&parameters)),
        TokenRequest::Query => parameters
            .iter()
            .fold(request, |request, (name, value)| request.query(name, value)),
    };
    let answer = request.header("accept", "application/json").send().await?;
    if answer.status() >= 300 {
        return Err(refusal::of(&answer));
    }
    let mut members: JsonObject = answer.json()?;
    let kind = match members.get("token_type") {
        Some(Value::String(kind)) => kind.to_lowercase(),
        _ => "bearer".to_owned(),
    };
    members.insert("token_type".to_owned(), kind.into());
    let raw = Value::Object(members);
    // serde's message would repeat values of the answer.
    let tokens: OauthCredentials = serde_json::from_value(raw.clone()).map_err(|_| {
        ConnectorError::invalid_response(
            "The authorization server's answer does not hold tokens of a known kind.",
        )
        .with_retryable(false)
    })?;
    Ok(Response::new(tokens).with_raw_data(ctx.raw_data(|| raw)))
}

fn object(parameters: &Parameters<'_>) -> Value {
    parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
        .collect::<JsonObject>()
        .into()
}

fn random() -> Result<[u8; 32], ConnectorError> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| ConnectorError::internal("the system gives no random numbers"))?;
    Ok(bytes)
}
