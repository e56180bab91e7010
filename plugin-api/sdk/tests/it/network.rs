//! Proxies, authorities, signatures.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lumos_connector_sdk::http::{OAuth1, Retry, Signature};
use lumos_connector_sdk::prelude::*;

use crate::scripted::{Ctx, Proxy, Scripted, answer, connector, request};

fn somebody() -> BasicCredential {
    BasicCredential {
        username: "somebody".to_owned(),
        password: "p@ss".into(),
    }
}

/// A server's configuration, and its authority in PEM.
fn tls() -> (Arc<rustls::ServerConfig>, String) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (Arc::new(config), authority.pem())
}

#[test]
fn an_authority_is_trusted_where_the_connector_says_so() {
    let (config, authority) = tls();
    let app = Scripted::start_tls(config, [answer(200, "", "by TLS")]);
    let file = std::env::temp_dir().join(format!("lumos-sdk-authority-{}.pem", std::process::id()));
    std::fs::write(&file, &authority).unwrap();
    let by_file = file.clone();
    let harness = connector(move |ctx: Ctx| {
        let (authority, file) = (authority.clone(), by_file.clone());
        async move {
            let api = ctx.http(&ctx.settings.url)?.no_proxy();
            let api = match ctx.auth.token.expose() {
                "text" => api.trust(&authority),
                "file" => api.trust_file(file),
                "wrong" => api.trust("no certificate"),
                _ => api,
            };
            api.get("/x").send().await
        }
    });
    let call = |token: &str| {
        let mut document = request(&app.url);
        document["auth"]["token"]["token"] = token.into();
        harness.call("read", document)
    };
    assert_eq!(call("text")["response"]["body"], "by TLS");
    assert_eq!(call("file")["response"]["body"], "by TLS");
    assert_eq!(call("none")["error"]["error_code"], "connection_timeout");
    assert_eq!(call("wrong")["error"]["error_code"], "invalid_value");
    assert_eq!(app.requests().len(), 2);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn requests_go_through_a_proxy_with_its_credentials() {
    let (config, authority) = tls();
    let plain = Scripted::start([answer(200, "", "plain")]);
    let secure = Scripted::start_tls(config, [answer(200, "", "by TLS")]);
    let proxy = Proxy::start();
    let address = proxy.url.clone();
    let harness = connector(move |ctx: Ctx| {
        let (address, authority) = (address.clone(), authority.clone());
        async move {
            let credential = (ctx.auth.token.expose() == "known").then(somebody);
            let api = ctx.http(&ctx.settings.url)?.trust(&authority);
            let api = api.proxy(&address, credential.as_ref()).retry(Retry::times(2));
            api.get("/x?y=z").send().await
        }
    });
    let call = |url: &str, token: &str| {
        let mut document = request(url);
        document["auth"]["token"]["token"] = token.into();
        harness.call("read", document)
    };
    assert_eq!(call(&plain.url, "known")["response"]["body"], "plain");
    assert_eq!(call(&secure.url, "known")["response"]["body"], "by TLS");
    let passed = proxy.passed.lock().unwrap().clone();
    let host = secure.url.trim_start_matches("https://");
    assert_eq!(
        passed,
        [
            format!("GET {}/x?y=z HTTP/1.1", plain.url),
            format!("CONNECT {host} HTTP/1.1")
        ]
    );
    // The proxy's credentials are for the proxy alone.
    assert!(
        !secure.requests()[0]
            .to_lowercase()
            .contains("proxy-authorization")
    );
    let refused = call(&secure.url, "unknown");
    assert_eq!(refused["error"]["error_code"], "invalid_value", "{refused}");
    assert_eq!(call(&plain.url, "unknown")["error"]["status_code"], 407);
    assert!(harness.waits().is_empty(), "a refusal of the proxy is final");
}

#[test]
fn ways_to_the_app_share_no_connection() {
    let app = Scripted::start([answer(200, "", "")]);
    let proxy = Proxy::start();
    let address = proxy.url.clone();
    let harness = connector(move |ctx: Ctx| {
        let address = address.clone();
        async move {
            let direct = ctx.http(&ctx.settings.url)?.no_proxy();
            direct.get("/1").send().await?;
            direct.get("/2").send().await?;
            let api = ctx.http(&ctx.settings.url)?.proxy(&address, Some(&somebody()));
            api.get("/3").send().await
        }
    });
    harness.call("read", request(&app.url));
    harness.call("read", request(&app.url));
    assert_eq!(proxy.passed.lock().unwrap().len(), 2);
    // Two of the proxy's, and at least one that the tenant keeps.
    assert!(app.connections.load(Ordering::SeqCst) >= 3);
    assert_eq!(app.requests().len(), 6);
}

#[test]
fn each_attempt_has_a_signature_of_its_own() {
    let app = Scripted::start([answer(503, "", ""), answer(200, "", "done")]);
    let harness = connector(|ctx: Ctx| async move {
        let credential = OAuth1Credential {
            consumer_key: "consumer".to_owned(),
            consumer_secret: "s3cret".into(),
            token_id: "token".to_owned(),
            token_secret: "s3cret".into(),
        };
        let signer = OAuth1::new(&credential)
            .signature(Signature::HmacSha1)
            .realm("realm");
        let api = ctx
            .http(&ctx.settings.url)?
            .oauth1_with(signer)
            .retry(Retry::times(1));
        api.get("/x").query("a", "b").send().await
    });
    assert_eq!(
        harness.call("read", request(&app.url))["response"]["body"],
        "done"
    );
    let headers: Vec<String> = app
        .requests()
        .iter()
        .map(|sent| {
            sent.lines()
                .find(|line| line.starts_with("authorization"))
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(
        headers[0].contains(r#"OAuth realm="realm",oauth_consumer_key="consumer""#),
        "{headers:?}"
    );
    assert!(
        headers[0].contains(r#"oauth_signature_method="HMAC-SHA1""#),
        "{headers:?}"
    );
    assert_ne!(headers[0], headers[1]);
}

#[test]
fn a_token_is_signed_and_sent() {
    let app = Scripted::start([answer(200, "", "done")]);
    let harness = connector(|ctx: Ctx| async move {
        let credential = JwtCredential {
            headers: JwtHeaders::default(),
            claims: JwtClaims::default(),
            secret: ctx.auth.token.expose().into(),
        };
        ctx.http(&ctx.settings.url)?
            .jwt(&credential)
            .get("/x")
            .send()
            .await
    });
    harness.call("read", request(&app.url));
    let sent = app.requests().remove(0);
    let token = sent
        .lines()
        .find_map(|line| line.strip_prefix("authorization: Bearer "))
        .unwrap();
    assert_eq!(token.split('.').count(), 3);
}
