//! The sandbox as a client sees it: over sockets, with a client of a few lines.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::codec::{base64, base64_decode};
use crate::keys::{RFC_7515, RFC_7520};
use crate::time::{Clock, amz_date};
use crate::world::{self, APP_ID, CLIENT_ID, ORG_INSTALLATION};
use crate::{Call, Fault, PrivateKey, Sandbox, Service, TokenForm, TokenState, When, jwt, sigv4};

/// An answer as the client got it.
#[derive(Debug)]
struct Got {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn message(&self) -> String {
        let body = self.json();
        body["message"]
            .as_str()
            .or(body["Message"].as_str())
            .unwrap_or_default()
            .to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn connect(sandbox: &Sandbox, service: Service) -> std::io::Result<Box<dyn Wire>> {
    let tcp = TcpStream::connect(("127.0.0.1", sandbox.port(service)))?;
    tcp.set_read_timeout(Some(Duration::from_secs(5)))?;
    if sandbox.ca_pem().is_empty() {
        return Ok(Box::new(tcp));
    }
    let mut roots = RootCertStore::empty();
    roots
        .add(
            rustls::pki_types::CertificateDer::from_pem_slice(sandbox.ca_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    Ok(Box::new(StreamOwned::new(client, tcp)))
}

/// Sends one request and reads the answer to the end of its body, or what there is of it.
fn send(wire: &mut dyn Wire, head: &str, body: &[u8]) -> std::io::Result<Got> {
    let mut request = format!("{head}\r\nHost: sandbox.test\r\n").into_bytes();
    if !body.is_empty() {
        request.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
    }
    request.extend(b"\r\n");
    request.extend(body);
    wire.write_all(&request)?;
    wire.flush()?;
    receive(wire)
}

fn receive(wire: &mut dyn Wire) -> std::io::Result<Got> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut got = Got {
                status: head[9..12].parse().unwrap(),
                head,
                body: bytes[end + 4..].to_vec(),
            };
            let length: usize = got
                .header("content-length")
                .map_or(0, |length| length.parse().unwrap());
            while got.body.len() < length {
                match wire.read(&mut part)? {
                    0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                    count => got.body.extend(&part[..count]),
                }
            }
            return Ok(got);
        }
        match wire.read(&mut part)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend(&part[..count]),
        }
    }
}

fn github(
    sandbox: &Sandbox,
    request: &str,
    authorization: &str,
    body: &Value,
) -> std::io::Result<Got> {
    let head = format!("{request} HTTP/1.1\r\nUser-Agent: test\r\nAuthorization: {authorization}");
    let body = if body.is_null() {
        Vec::new()
    } else {
        body.to_string().into_bytes()
    };
    send(&mut *connect(sandbox, Service::GitHub)?, &head, &body)
}

fn app_jwt(offset: i64) -> String {
    let now = Clock::new(offset).now();
    let claims = json!({"iss": CLIENT_ID, "iat": now - 60, "exp": now + 540});
    format!(
        "Bearer {}",
        jwt::issue(&jwt::rs256(), &claims, &PrivateKey::published(&RFC_7515))
    )
}

fn kms(
    sandbox: &Sandbox,
    access_key: &str,
    region: &str,
    action: &str,
    body: &Value,
) -> std::io::Result<Got> {
    let credential = sandbox.credentials(access_key).unwrap();
    kms_as(sandbox, &credential, region, action, &body.to_string())
}

fn kms_as(
    sandbox: &Sandbox,
    credential: &world::Credential,
    region: &str,
    action: &str,
    body: &str,
) -> std::io::Result<Got> {
    let mut fields = vec![
        (
            "Content-Type".to_owned(),
            "application/x-amz-json-1.1".to_owned(),
        ),
        ("Host".into(), "sandbox.test".into()),
        ("X-Amz-Date".into(), amz_date(Clock::default().now())),
        ("X-Amz-Target".into(), format!("TrentService.{action}")),
    ];
    if let Some(token) = &credential.session_token {
        fields.push(("X-Amz-Security-Token".into(), token.clone()));
    }
    let authorization =
        sigv4::authorization_for_tests("kms", region, credential, &fields, body.as_bytes());
    fields.push(("Authorization".into(), authorization));
    let fields: Vec<String> = fields
        .iter()
        .filter(|(name, _)| name != "Host")
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let head = format!("POST / HTTP/1.1\r\n{}", fields.join("\r\n"));
    send(
        &mut *connect(sandbox, Service::Kms)?,
        &head,
        body.as_bytes(),
    )
}

fn sign_body(key: &str) -> Value {
    json!({
        "KeyId": key,
        "Message": base64(b"message"),
        "MessageType": "RAW",
        "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
    })
}

fn mint(sandbox: &Sandbox, installation: u64, body: &Value) -> Got {
    let request = format!("POST /app/installations/{installation}/access_tokens");
    github(sandbox, &request, &app_jwt(0), body).unwrap()
}

#[test]
fn kms_signs_what_the_apps_public_key_verifies() {
    let sandbox = Sandbox::start().unwrap();
    let arn = format!("arn:aws:kms:us-east-1:123456789012:key/{}", world::KEY_ID);
    let alias_arn = "arn:aws:kms:us-east-1:123456789012:alias/github-app";
    for name in [world::ALIAS, world::KEY_ID, arn.as_str(), alias_arn] {
        let got = kms(
            &sandbox,
            world::SIGNER_SESSION,
            "us-east-1",
            "Sign",
            &sign_body(name),
        )
        .unwrap();
        assert_eq!(
            (got.status, got.json()["KeyId"].as_str()),
            (200, Some(arn.as_str())),
            "{got:?}"
        );
        let signature = base64_decode(got.json()["Signature"].as_str().unwrap()).unwrap();
        assert!(
            PrivateKey::published(&RFC_7515)
                .public()
                .verify(b"message", &signature)
        );
        assert!(got.header("x-amzn-RequestId").is_some());
    }
    let elsewhere = kms(
        &sandbox,
        world::SIGNER_SESSION,
        "eu-west-1",
        "Sign",
        &sign_body(world::ALIAS),
    )
    .unwrap();
    assert!(
        elsewhere.json()["KeyId"]
            .as_str()
            .unwrap()
            .contains("eu-west-1")
    );
    assert_eq!(
        sandbox.requests_of(Call::KmsSign)[4].region.as_deref(),
        Some("eu-west-1")
    );
}

#[test]
fn kms_refuses_with_the_exception_that_fits() {
    let sandbox = Sandbox::start().unwrap();
    let kind = |who: &str, body: &Value| {
        let got = kms(&sandbox, who, "us-east-1", "Sign", body).unwrap();
        assert_eq!(got.status, 400);
        got.json()["__type"].as_str().unwrap_or_default().to_owned()
    };
    let signer = |key: &str| kind(world::SIGNER_SESSION, &sign_body(key));
    assert_eq!(signer("alias/nothing"), "NotFoundException");
    assert_eq!(
        signer("11111111-2222-4333-8444-555555555555"),
        "NotFoundException"
    );
    assert_eq!(signer("nonsense"), "NotFoundException");
    assert_eq!(
        signer("arn:aws:kms:eu-west-1:123456789012:alias/github-app"),
        "NotFoundException"
    );
    assert_eq!(
        signer("arn:aws:kms:us-east-1:999999999999:alias/github-app"),
        "AccessDeniedException"
    );
    assert_eq!(signer(world::DISABLED_ALIAS), "DisabledException");
    assert_eq!(
        signer(world::PENDING_IMPORT_ALIAS),
        "KMSInvalidStateException"
    );
    assert_eq!(
        signer(world::PENDING_DELETION_ALIAS),
        "KMSInvalidStateException"
    );
    assert_eq!(signer(world::ENCRYPT_ALIAS), "InvalidKeyUsageException");
    assert_eq!(
        kind(world::STRANGER, &sign_body(world::ALIAS)),
        "AccessDeniedException"
    );
    assert_eq!(
        kind(world::EXPIRED_SESSION, &sign_body(world::ALIAS)),
        "ExpiredTokenException"
    );

    let changed = |field: &str, value: Value| {
        let mut body = sign_body(world::ALIAS);
        body[field] = value;
        kind(world::SIGNER_SESSION, &body)
    };
    assert_eq!(
        changed("SigningAlgorithm", json!("RSASSA_PSS_SHA_256")),
        "AccessDeniedException"
    );
    assert_eq!(
        changed("SigningAlgorithm", json!("RS256")),
        "ValidationException"
    );
    assert_eq!(
        changed("Message", json!(base64(&[b'x'; 4_097]))),
        "ValidationException"
    );
    assert_eq!(changed("Message", json!("%")), "SerializationException");
    assert_eq!(changed("KeyId", Value::Null), "ValidationException");
}

#[test]
fn the_signers_role_may_sign_and_nothing_else() {
    let sandbox = Sandbox::start().unwrap();
    let key = json!({"KeyId": world::ALIAS});
    let denied = kms(
        &sandbox,
        world::SIGNER_SESSION,
        "us-east-1",
        "DescribeKey",
        &key,
    )
    .unwrap();
    assert_eq!(
        denied.message(),
        format!(
            "User: arn:aws:sts::123456789012:assumed-role/app-token-signer/GitHubActions is not authorized to perform: \
             kms:DescribeKey on resource: arn:aws:kms:us-east-1:123456789012:key/{} because no identity-based policy \
             allows the kms:DescribeKey action",
            world::KEY_ID
        )
    );
    let described = kms(&sandbox, world::CI_USER, "us-east-1", "DescribeKey", &key).unwrap();
    assert_eq!(described.json()["KeyMetadata"]["KeyState"], "Enabled");
    let public = kms(&sandbox, world::CI_USER, "us-east-1", "GetPublicKey", &key).unwrap();
    let spki = PrivateKey::published(&RFC_7515).public().spki();
    assert_eq!(public.json()["PublicKey"], json!(base64(&spki)));
}

#[test]
fn a_token_is_looked_up_minted_used_and_revoked() {
    for tls in [false, true] {
        let sandbox = Sandbox::builder().tls(tls).start().unwrap();
        let jwt = app_jwt(0);
        let found = github(
            &sandbox,
            "GET /repos/my-org/repo-a/installation",
            &jwt,
            &Value::Null,
        )
        .unwrap();
        assert_eq!(
            (found.status, &found.json()["id"]),
            (200, &json!(ORG_INSTALLATION))
        );
        let minted = mint(
            &sandbox,
            ORG_INSTALLATION,
            &json!({"repositories": ["repo-a"], "permissions": {"contents": "read"}}),
        );
        assert_eq!(minted.status, 201);
        assert_eq!(
            minted.json()["permissions"],
            json!({"contents": "read", "metadata": "read"})
        );
        assert_eq!(
            minted.json()["repositories"][0]["full_name"],
            "my-org/repo-a"
        );
        let token = minted.json()["token"].as_str().unwrap().to_owned();
        let bearer = format!("Bearer {token}");
        let status = |request: &str| {
            github(&sandbox, request, &bearer, &Value::Null)
                .unwrap()
                .status
        };
        assert_eq!(status("GET /repos/my-org/repo-a"), 200);
        assert_eq!(status("GET /repos/my-org/repo-a/contents/README.md"), 200);
        assert_eq!(status("GET /repos/my-org/repo-b"), 404);
        assert_eq!(status("POST /repos/my-org/repo-a/issues"), 403);
        assert_eq!(status("GET /users/my-app%5Bbot%5D"), 200);
        assert_eq!(sandbox.tokens()[0].state, TokenState::Live);
        assert!(sandbox.tokens()[0].delivered);
        assert_eq!(status("DELETE /installation/token"), 204);
        let dead = github(&sandbox, "GET /repos/my-org/repo-a", &bearer, &Value::Null).unwrap();
        assert_eq!(
            (dead.status, dead.message()),
            (401, "Bad credentials".into())
        );
        assert_eq!(status("DELETE /installation/token"), 401);
        assert_eq!(sandbox.tokens()[0].state, TokenState::Revoked);
        let secrets = sandbox.secrets();
        for secret in [&token, jwt.trim_start_matches("Bearer ")] {
            assert!(secrets.iter().any(|(_, value)| value == secret));
        }
    }
}

#[test]
fn look_ups_find_what_is_installed_and_nothing_else() {
    let sandbox = Sandbox::start().unwrap();
    let look_up =
        |path: &str| github(&sandbox, &format!("GET {path}"), &app_jwt(0), &Value::Null).unwrap();
    for (path, id) in [
        ("/users/my-org/installation", 10_001),
        ("/users/MY-Org/installation", 10_001),
        ("/orgs/my-org/installation", 10_001),
        ("/users/octocat/installation", 10_002),
        ("/repos/octocat/hello-world/installation", 10_002),
        ("/enterprises/my-enterprise/installation", 10_004),
        ("/orgs/suspended-org/installation", 10_003),
        ("/app/installations/10001", 10_001),
    ] {
        assert_eq!(look_up(path).json()["id"], id, "{path}");
    }
    for path in [
        "/users/other-org/installation",
        "/users/nobody/installation",
        "/orgs/octocat/installation",
        "/repos/octocat/private-notes/installation",
        "/repos/other-org/secret-repo/installation",
        "/app/installations/10101",
        "/users/my-enterprise/installation",
    ] {
        assert_eq!(look_up(path).status, 404, "{path}");
    }
    assert!(!look_up("/orgs/suspended-org/installation").json()["suspended_at"].is_null());
    let moved = look_up("/repos/my-org/renamed-repo/installation");
    assert_eq!(moved.status, 301);
    assert_eq!(
        moved.header("location"),
        Some("http://sandbox.test/repositories/50003/installation")
    );
    assert_eq!(
        look_up("/repositories/50003/installation").json()["id"],
        ORG_INSTALLATION
    );
    assert_eq!(look_up("/app").json()["slug"], "my-app");
    assert_eq!(
        look_up("/app/installations")
            .json()
            .as_array()
            .map(Vec::len),
        Some(4)
    );
}

#[test]
fn mints_are_refused_with_githubs_words() {
    let sandbox = Sandbox::start().unwrap();
    let refused = |installation: u64, body: Value| {
        let got = mint(&sandbox, installation, &body);
        (got.status, got.message())
    };
    let repositories = "There is at least one repository that does not exist or is not accessible to the parent installation.";
    let permissions = "The permissions requested are not granted to this installation.";
    assert_eq!(
        refused(ORG_INSTALLATION, json!({"repositories": ["nothing"]})),
        (422, repositories.into())
    );
    assert_eq!(
        refused(ORG_INSTALLATION, json!({"repository_ids": [1]})),
        (422, repositories.into())
    );
    assert_eq!(
        refused(
            world::USER_INSTALLATION,
            json!({"repositories": ["private-notes"]})
        ),
        (422, repositories.into())
    );
    assert_eq!(
        refused(
            ORG_INSTALLATION,
            json!({"permissions": {"secrets": "read"}})
        ),
        (422, permissions.into())
    );
    assert_eq!(
        refused(
            ORG_INSTALLATION,
            json!({"permissions": {"members": "write"}})
        ),
        (422, permissions.into())
    );
    assert_eq!(
        refused(world::SUSPENDED_INSTALLATION, json!({})),
        (403, "This installation has been suspended".into())
    );
    assert_eq!(refused(99, json!({})), (404, "Not Found".into()));
    assert!(sandbox.tokens().is_empty());
    assert_eq!(
        mint(
            &sandbox,
            ORG_INSTALLATION,
            &json!({"permissions": {"members": "read"}})
        )
        .status,
        201
    );
}

#[test]
fn keys_of_another_app_and_clocks_that_are_off_are_refused() {
    let sandbox = Sandbox::builder().github_clock(-300).start().unwrap();
    let get = |jwt: &str| github(&sandbox, "GET /app", jwt, &Value::Null).unwrap();
    let early = get(&app_jwt(0));
    assert!(
        early.message().starts_with("'Issued at' claim"),
        "{}",
        early.message()
    );
    assert_eq!(get(&app_jwt(-300)).status, 200);
    sandbox.set_github_clock(0);
    assert_eq!(get(&app_jwt(0)).status, 200);
    let now = Clock::default().now();
    let claims = json!({"iss": APP_ID.to_string(), "iat": now, "exp": now + 60});
    let forged = jwt::issue(&jwt::rs256(), &claims, &PrivateKey::published(&RFC_7520));
    assert_eq!(
        get(&format!("Bearer {forged}")).message(),
        "A JSON web token could not be decoded"
    );
    assert_eq!(get("").message(), "A JSON web token could not be decoded");
    assert_eq!(get(&app_jwt(0).replace("Bearer", "token")).status, 401);
}

#[test]
fn github_wants_its_headers() {
    let sandbox = Sandbox::start().unwrap();
    let get = |fields: &str| {
        let head = format!(
            "GET /app HTTP/1.1\r\nAuthorization: {}\r\n{fields}",
            app_jwt(0)
        );
        send(
            &mut *connect(&sandbox, Service::GitHub).unwrap(),
            head.trim_end(),
            b"",
        )
        .unwrap()
    };
    assert_eq!(get("").status, 403);
    assert_eq!(get("User-Agent: t").status, 200);
    assert_eq!(
        get("User-Agent: t\r\nX-GitHub-Api-Version: 2022-11-28").status,
        200
    );
    assert_eq!(get("User-Agent: t\r\nX-GitHub-Api-Version: v3").status, 400);
    assert_eq!(get("User-Agent: t\r\nAccept: text/html").status, 415);
}

#[test]
fn options_change_base_path_token_form_and_first_use() {
    let sandbox = Sandbox::builder()
        .github_base("/api/v3/")
        .token_form(TokenForm::Short)
        .usable_after(2)
        .start()
        .unwrap();
    assert!(sandbox.github_url().ends_with("/api/v3"));
    assert_eq!(
        github(&sandbox, "GET /app", &app_jwt(0), &Value::Null)
            .unwrap()
            .status,
        404
    );
    let minted = github(
        &sandbox,
        "POST /api/v3/app/installations/10001/access_tokens",
        &app_jwt(0),
        &Value::Null,
    )
    .unwrap();
    let token = minted.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(token.len(), 40);
    let tries: Vec<u16> = (0..3)
        .map(|_| {
            github(
                &sandbox,
                "GET /api/v3/installation/repositories",
                &format!("token {token}"),
                &Value::Null,
            )
            .unwrap()
            .status
        })
        .collect();
    assert_eq!(tries, [401, 401, 200]);
}

#[test]
fn tokens_expire_after_an_hour_of_githubs_clock() {
    let sandbox = Sandbox::start().unwrap();
    let minted = mint(&sandbox, ORG_INSTALLATION, &Value::Null);
    sandbox.set_github_clock(3_601);
    assert_eq!(sandbox.tokens()[0].state, TokenState::Expired);
    let bearer = format!("Bearer {}", minted.json()["token"].as_str().unwrap());
    assert_eq!(
        github(&sandbox, "GET /rate_limit", &bearer, &Value::Null)
            .unwrap()
            .status,
        401
    );
}

#[test]
fn connections_are_kept_and_counted() {
    let sandbox = Sandbox::start().unwrap();
    let mut wire = connect(&sandbox, Service::GitHub).unwrap();
    for _ in 0..2 {
        let head = format!(
            "GET /app HTTP/1.1\r\nUser-Agent: t\r\nAuthorization: {}",
            app_jwt(0)
        );
        assert_eq!(send(&mut *wire, &head, b"").unwrap().status, 200);
    }
    github(&sandbox, "GET /app", &app_jwt(0), &Value::Null).unwrap();
    let numbers: Vec<u64> = sandbox
        .requests()
        .iter()
        .map(|exchange| exchange.connection)
        .collect();
    assert_eq!(numbers, [1, 1, 2]);
    assert!(
        sandbox
            .requests()
            .iter()
            .all(|exchange| exchange.finished >= Some(exchange.started))
    );
}

fn get_app(sandbox: &Sandbox) -> std::io::Result<Got> {
    github(sandbox, "GET /app", &app_jwt(0), &Value::Null)
}

#[test]
fn answers_in_place_of_the_real_one_are_delivered_as_given() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::App, When::First(1), Fault::html(502));
    sandbox.fault(
        Call::App,
        When::Nth(2),
        Fault::github(429, "slow down").with_header("Retry-After", "3"),
    );
    sandbox.fault(Call::App, When::Nth(3), Fault::empty(200));
    sandbox.fault(
        Call::App,
        When::Nth(4),
        Fault::Redirect(302, "http://elsewhere.test/".into()),
    );
    sandbox.fault(Call::App, When::Nth(5), Fault::RedirectLoop(301));
    sandbox.fault(Call::App, When::Nth(6), Fault::Huge(3 << 20));
    sandbox.fault(Call::App, When::Nth(7), Fault::Truncate);
    sandbox.fault(Call::App, When::Nth(8), Fault::WrongTypes);
    let got: Vec<Got> = (0..9).map(|_| get_app(&sandbox).unwrap()).collect();
    let statuses: Vec<u16> = got.iter().map(|got| got.status).collect();
    assert_eq!(statuses, [502, 429, 200, 302, 301, 200, 200, 200, 200]);
    assert_eq!(got[1].header("retry-after"), Some("3"));
    assert!(got[2].body.is_empty());
    assert_eq!(got[4].header("location"), Some("http://sandbox.test/app"));
    assert_eq!(got[5].body.len(), 3 << 20);
    assert!(got[6].json().is_null() && !got[6].body.is_empty());
    assert_eq!(got[7].json()["slug"], 42);
    assert_eq!(got[8].json()["slug"], "my-app");
    assert_eq!(sandbox.requests()[1].fault.as_deref(), Some("Answer 429"));
    assert_eq!(sandbox.requests()[6].fault.as_deref(), Some("Truncate"));
    assert_eq!(sandbox.requests()[8].fault, None);
}

#[test]
fn connections_break_where_a_fault_says() {
    for tls in [false, true] {
        let sandbox = Sandbox::builder().tls(tls).start().unwrap();
        sandbox.fault(Call::App, When::Nth(1), Fault::Reset);
        sandbox.fault(Call::App, When::Nth(2), Fault::Close);
        sandbox.fault(Call::App, When::Nth(3), Fault::ResetInBody);
        let kinds: Vec<std::io::ErrorKind> = (0..3)
            .map(|_| get_app(&sandbox).unwrap_err().kind())
            .collect();
        use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
        assert_eq!(kinds, [ConnectionReset, UnexpectedEof, ConnectionReset]);
        assert_eq!(get_app(&sandbox).unwrap().status, 200);
        assert_eq!(sandbox.requests()[0].status, None);
    }
}

#[test]
fn hangs_end_when_the_sandbox_is_dropped() {
    for fault in [
        Fault::Hang,
        Fault::HangInBody,
        Fault::Delay(Duration::from_secs(60)),
        Fault::Drip(Duration::from_secs(60)),
    ] {
        let sandbox = Sandbox::start().unwrap();
        sandbox.fault(Call::App, When::Every, fault);
        let mut wire = connect(&sandbox, Service::GitHub).unwrap();
        let head = format!(
            "GET /app HTTP/1.1\r\nHost: h\r\nUser-Agent: t\r\nAuthorization: {}\r\n\r\n",
            app_jwt(0)
        );
        wire.write_all(head.as_bytes()).unwrap();
        assert!(sandbox.wait_for(Duration::from_secs(5), |requests| requests.len() == 1));
        let before = Instant::now();
        drop(sandbox);
        assert!(before.elapsed() < Duration::from_secs(2));
        let _ = wire.read_to_end(&mut Vec::new());
    }
}

#[test]
fn delays_and_drips_give_the_right_answer_late() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(
        Call::App,
        When::Nth(1),
        Fault::Delay(Duration::from_millis(80)),
    );
    sandbox.fault(
        Call::App,
        When::Nth(2),
        Fault::Drip(Duration::from_micros(50)),
    );
    for _ in 0..2 {
        let before = Instant::now();
        assert_eq!(get_app(&sandbox).unwrap().json()["slug"], "my-app");
        assert!(before.elapsed() >= Duration::from_millis(50));
    }
}

#[test]
fn a_refused_port_opens_again() {
    let sandbox = Sandbox::start().unwrap();
    use std::io::ErrorKind::{ConnectionRefused, ConnectionReset};
    sandbox.refuse(Service::GitHub);
    assert_eq!(get_app(&sandbox).unwrap_err().kind(), ConnectionRefused);
    sandbox.accept(Service::GitHub);
    assert_eq!(get_app(&sandbox).unwrap().status, 200);

    sandbox.fault(Call::App, When::First(1), Fault::Refuse);
    assert_eq!(get_app(&sandbox).unwrap_err().kind(), ConnectionReset);
    assert_eq!(get_app(&sandbox).unwrap_err().kind(), ConnectionRefused);
    let until = Instant::now() + Duration::from_secs(5);
    while get_app(&sandbox).is_err() {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(10));
    }

    sandbox.fault(Call::KmsSign, When::Every, Fault::Refuse);
    let sign = || {
        kms(
            &sandbox,
            world::CI_USER,
            "us-east-1",
            "Sign",
            &sign_body(world::ALIAS),
        )
    };
    assert_eq!(sign().unwrap_err().kind(), ConnectionReset);
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(sign().unwrap_err().kind(), ConnectionRefused);
    assert_eq!(get_app(&sandbox).unwrap().status, 200);
}

#[test]
fn bad_certificates_are_shown_and_then_good_ones() {
    for (fault, expected) in [
        (Fault::BadCertificate, "UnknownIssuer"),
        (Fault::ExpiredCertificate, "certificate expired"),
        (Fault::WrongHost, "not valid for name"),
    ] {
        let sandbox = Sandbox::builder().tls(true).start().unwrap();
        sandbox.fault(Call::App, When::First(1), fault);
        let refused = get_app(&sandbox).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
        assert_eq!(get_app(&sandbox).unwrap().status, 200);
    }
}

#[test]
fn a_fault_in_one_region_spares_the_other() {
    let sandbox = Sandbox::start().unwrap();
    let throttled = Fault::aws("ThrottlingException", "Rate exceeded");
    sandbox.fault_in("us-east-1", Call::KmsSign, When::Every, throttled);
    let sign = |region: &str| {
        kms(
            &sandbox,
            world::CI_USER,
            region,
            "Sign",
            &sign_body(world::ALIAS),
        )
        .unwrap()
    };
    assert_eq!(
        sign("us-east-1").json(),
        json!({"__type": "ThrottlingException", "message": "Rate exceeded"})
    );
    assert_eq!(sign("eu-west-1").status, 200);
}

#[test]
fn a_truncated_mint_leaves_a_token_that_was_not_delivered() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.fault(Call::Mint, When::First(1), Fault::ResetInBody);
    let request = format!("POST /app/installations/{ORG_INSTALLATION}/access_tokens");
    assert!(github(&sandbox, &request, &app_jwt(0), &Value::Null).is_err());
    assert_eq!(mint(&sandbox, ORG_INSTALLATION, &Value::Null).status, 201);
    let delivered: Vec<bool> = sandbox
        .tokens()
        .iter()
        .map(|token| token.delivered)
        .collect();
    assert_eq!(delivered, [false, true]);
}

#[test]
fn what_is_no_http_is_answered_with_400() {
    let sandbox = Sandbox::start().unwrap();
    let mut wire = connect(&sandbox, Service::Kms).unwrap();
    wire.write_all(b"\x16\x03\x01\x02\x00\x01\r\n\r\n").unwrap();
    assert_eq!(receive(&mut *wire).unwrap().status, 400);
}

/// The environment as a map, as a job would have it.
fn variable(env: &[(String, String)], name: &str) -> String {
    env.iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.clone())
        .unwrap_or_default()
}

/// What follows scheme and host.
fn path_of(url: &str) -> &str {
    url.match_indices('/')
        .nth(2)
        .map_or("", |(at, _)| &url[at..])
}

fn id_token(sandbox: &Sandbox, authorization: &str, query: &str) -> Got {
    let url = variable(&sandbox.env(), "ACTIONS_ID_TOKEN_REQUEST_URL");
    let head = format!(
        "GET {}{query} HTTP/1.1\r\nAuthorization: {authorization}",
        path_of(&url)
    );
    send(&mut *connect(sandbox, Service::Oidc).unwrap(), &head, b"").unwrap()
}

fn sts(sandbox: &Sandbox, fields: &[(&str, &str)], more: &str) -> Got {
    let encode = |text: &str| crate::codec::percent_encode(text.as_bytes(), b"");
    let body: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    let head = format!("POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded{more}");
    send(
        &mut *connect(sandbox, Service::Sts).unwrap(),
        &head,
        body.join("&").as_bytes(),
    )
    .unwrap()
}

fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let start = xml
        .find(&format!("<{name}>"))
        .map_or(0, |at| at + name.len() + 2);
    &xml[start..xml.find(&format!("</{name}>")).unwrap_or(start)]
}

const ROLE: &str = "arn:aws:iam::123456789012:role/app-token-signer";

fn assume(token: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "run-1"),
        ("DurationSeconds", "900"),
        ("WebIdentityToken", token),
    ]
}

#[test]
fn an_id_token_becomes_a_session_that_signs() {
    let sandbox = Sandbox::start().unwrap();
    let bearer = format!(
        "Bearer {}",
        variable(&sandbox.env(), "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    );
    let token = id_token(&sandbox, &bearer, "&audience=sts.amazonaws.com").json()["value"]
        .as_str()
        .unwrap()
        .to_owned();
    let got = sts(&sandbox, &assume(&token), "");
    let xml = String::from_utf8(got.body).unwrap();
    assert_eq!(got.status, 200, "{xml}");
    assert_eq!(
        element(&xml, "Arn"),
        "arn:aws:sts::123456789012:assumed-role/app-token-signer/run-1"
    );
    let id = element(&xml, "AccessKeyId");
    assert_eq!(
        sandbox.credentials(id).unwrap().secret_access_key,
        element(&xml, "SecretAccessKey")
    );
    assert_eq!(
        kms(&sandbox, id, "us-east-1", "Sign", &sign_body(world::ALIAS))
            .unwrap()
            .status,
        200
    );
    for secret in [
        token.as_str(),
        element(&xml, "SecretAccessKey"),
        element(&xml, "SessionToken"),
    ] {
        assert!(sandbox.secrets().iter().any(|(_, value)| value == secret));
    }
}

#[test]
fn the_oidc_endpoint_wants_its_bearer_and_the_permission() {
    let sandbox = Sandbox::start().unwrap();
    let bearer = format!(
        "Bearer {}",
        variable(&sandbox.env(), "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    );
    assert_eq!(id_token(&sandbox, "Bearer wrong", "").status, 401);
    let token = id_token(&sandbox, &bearer, "").json()["value"]
        .as_str()
        .unwrap()
        .to_owned();
    let claims = jwt::Parts::parse(&token).unwrap().claims;
    assert_eq!(claims["aud"], "https://github.com/my-org");
    assert_eq!(
        claims["sub"],
        "repo:my-org@1001/repo-a@50001:ref:refs/heads/main"
    );
    sandbox.change(|world| world.job.id_token = false);
    assert_eq!(variable(&sandbox.env(), "ACTIONS_ID_TOKEN_REQUEST_URL"), "");
}

#[test]
fn web_identities_are_refused_with_the_words_of_sts() {
    let sandbox = Sandbox::start().unwrap();
    let refusal = |token: &str| {
        let got = sts(&sandbox, &assume(token), "");
        let xml = String::from_utf8(got.body).unwrap();
        (
            got.status,
            element(&xml, "Code").to_owned(),
            element(&xml, "Message").to_owned(),
        )
    };
    let code = |token: &str| refusal(token).1;
    assert_eq!(code("nonsense"), "InvalidIdentityToken");
    assert_eq!(
        refusal(&sandbox.id_token("api://other")).2,
        "Incorrect token audience"
    );

    sandbox.change(|world| world.job.repository_id = 1);
    let denied = refusal(&sandbox.id_token("sts.amazonaws.com"));
    assert_eq!(
        denied,
        (
            403,
            "AccessDenied".into(),
            "Not authorized to perform sts:AssumeRoleWithWebIdentity".into()
        )
    );
    sandbox.change(|world| world.job.repository_id = world::REPO_A_ID);

    sandbox.change(|world| world.job.lifetime = -1);
    assert_eq!(
        code(&sandbox.id_token("sts.amazonaws.com")),
        "ExpiredTokenException"
    );
    sandbox.change(|world| world.job.lifetime = 300);

    sandbox.change(|world| world.job.signing_key = PrivateKey::published(&RFC_7520));
    assert!(
        refusal(&sandbox.id_token("sts.amazonaws.com"))
            .2
            .starts_with("Couldn't retrieve verification key")
    );
    sandbox.change(|world| world.job.signing_key = PrivateKey::published(&crate::keys::RFC_7517));

    sandbox.change(|world| world.oidc_provider = None);
    let unknown = "No OpenIDConnect provider found in your account for https://token.actions.githubusercontent.com";
    assert_eq!(refusal(&sandbox.id_token("sts.amazonaws.com")).2, unknown);
}

#[test]
fn sts_checks_what_it_is_asked() {
    let sandbox = Sandbox::start().unwrap();
    let token = sandbox.id_token("sts.amazonaws.com");
    let code = |name: &str, value: &str| {
        let mut fields = assume(&token);
        fields.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
        element(
            &String::from_utf8(sts(&sandbox, &fields, "").body).unwrap(),
            "Code",
        )
        .to_owned()
    };
    assert_eq!(code("Version", "2011-06-16"), "InvalidAction");
    assert_eq!(code("Action", ""), "MissingAction");
    assert_eq!(code("RoleSessionName", "a b"), "ValidationError");
    assert_eq!(code("RoleSessionName", "a"), "ValidationError");
    assert_eq!(code("DurationSeconds", "899"), "ValidationError");
    assert_eq!(code("DurationSeconds", "7200"), "ValidationError");
    assert_eq!(code("RoleArn", "app-token-signer"), "ValidationError");
    assert_eq!(
        code("RoleArn", "arn:aws:iam::123456789012:role/nobody"),
        "AccessDenied"
    );
    assert_eq!(code("WebIdentityToken", ""), "ValidationError");
    assert_eq!(code("DurationSeconds", "3600"), "");
    sandbox.fault(
        Call::AssumeRoleWithWebIdentity,
        When::First(1),
        Fault::aws("IDPCommunicationError", "not <now>"),
    );
    assert_eq!(code("DurationSeconds", "900"), "IDPCommunicationError");
}

fn signed_sts(sandbox: &Sandbox, access_key: &str, body: &str) -> Got {
    let credential = sandbox.credentials(access_key).unwrap();
    let mut fields = vec![
        ("Host".to_owned(), "sandbox.test".to_owned()),
        ("X-Amz-Date".into(), amz_date(Clock::default().now())),
    ];
    fields.extend(
        credential
            .session_token
            .clone()
            .map(|token| ("X-Amz-Security-Token".to_owned(), token)),
    );
    let authorization =
        sigv4::authorization_for_tests("sts", "us-east-1", &credential, &fields, body.as_bytes());
    fields.push(("Authorization".into(), authorization));
    let fields: Vec<String> = fields[1..]
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let head = format!(
        "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n{}",
        fields.join("\r\n")
    );
    send(
        &mut *connect(sandbox, Service::Sts).unwrap(),
        &head,
        body.as_bytes(),
    )
    .unwrap()
}

#[test]
fn users_learn_who_they_are_and_assume_roles_that_trust_them() {
    let sandbox = Sandbox::start().unwrap();
    let who = |key: &str| {
        let got = signed_sts(&sandbox, key, "Action=GetCallerIdentity&Version=2011-06-15");
        element(&String::from_utf8(got.body).unwrap(), "Arn").to_owned()
    };
    assert_eq!(who(world::CI_USER), "arn:aws:iam::123456789012:user/ci");
    assert_eq!(
        who(world::SIGNER_SESSION),
        "arn:aws:sts::123456789012:assumed-role/app-token-signer/GitHubActions"
    );
    let assume = |key: &str| {
        let role = ROLE.replace(':', "%3A").replace('/', "%2F");
        let body =
            format!("Action=AssumeRole&Version=2011-06-15&RoleArn={role}&RoleSessionName=chain");
        let got = signed_sts(&sandbox, key, &body);
        let xml = String::from_utf8(got.body).unwrap();
        (got.status, element(&xml, "AccessKeyId").to_owned())
    };
    let (status, id) = assume(world::CI_USER);
    assert_eq!(status, 200);
    assert_eq!(
        kms(&sandbox, &id, "us-east-1", "Sign", &sign_body(world::ALIAS))
            .unwrap()
            .status,
        200
    );
    assert_eq!(assume(world::STRANGER).0, 403);
    assert_eq!(
        signed_sts(
            &sandbox,
            world::EXPIRED_SESSION,
            "Action=GetCallerIdentity&Version=2011-06-15"
        )
        .status,
        403
    );
}

#[test]
fn containers_and_instances_get_sessions_that_sign() {
    let sandbox = Sandbox::start().unwrap();
    let ask = |head: &str| {
        send(
            &mut *connect(&sandbox, Service::Metadata).unwrap(),
            head,
            b"",
        )
        .unwrap()
    };
    let signs = |got: &Got| {
        let id = got.json()["AccessKeyId"].as_str().unwrap().to_owned();
        kms(&sandbox, &id, "us-east-1", "Sign", &sign_body(world::ALIAS))
            .unwrap()
            .status
            == 200
    };
    assert!(signs(&ask(&format!(
        "GET {} HTTP/1.1",
        sandbox.container_path()
    ))));

    let env = sandbox.env_of_container();
    let uri = variable(&env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let token = variable(&env, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    assert!(signs(&ask(&format!(
        "GET {} HTTP/1.1\r\nAuthorization: {token}",
        path_of(&uri)
    ))));
    assert_eq!(ask(&format!("GET {} HTTP/1.1", path_of(&uri))).status, 401);

    let role = "/latest/meta-data/iam/security-credentials/";
    assert_eq!(ask(&format!("GET {role} HTTP/1.1")).status, 401);
    assert_eq!(ask("PUT /latest/api/token HTTP/1.1").status, 400);
    let put = |ttl: &str| {
        ask(&format!(
            "PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: {ttl}"
        ))
    };
    assert_eq!(put("0").status, 400);
    let token = String::from_utf8(put("60").body).unwrap();
    let get = |path: &str| {
        ask(&format!(
            "GET {path} HTTP/1.1\r\nX-aws-ec2-metadata-token: {token}"
        ))
    };
    assert_eq!(get(role).body, world::SIGNER_ROLE.as_bytes());
    let credentials = get(&format!("{role}{}", world::SIGNER_ROLE));
    assert_eq!(credentials.json()["Code"], "Success");
    assert!(signs(&credentials));
    assert_eq!(get(&format!("{role}other")).status, 404);
    let calls: Vec<Call> = sandbox
        .requests()
        .iter()
        .map(|exchange| exchange.call)
        .collect();
    assert!(
        calls.contains(&Call::MetadataCredentials) && calls.contains(&Call::ContainerCredentials)
    );
}

#[test]
fn the_proxy_leads_names_to_services_with_certificates_that_fit() {
    let sandbox = Sandbox::builder()
        .tls(true)
        .proxy_credentials("user", "p@ss")
        .start()
        .unwrap();
    assert!(
        sandbox
            .proxy_url()
            .starts_with("http://user:p%40ss@127.0.0.1:")
    );
    let open = |target: &str, credentials: &str| {
        let mut tcp = TcpStream::connect(("127.0.0.1", sandbox.port(Service::Proxy))).unwrap();
        let head = format!(
            "CONNECT {target} HTTP/1.1\r\nProxy-Authorization: Basic {}",
            base64(credentials.as_bytes())
        );
        let got = send(&mut tcp, &head, b"").unwrap();
        (got.status, tcp)
    };
    assert_eq!(open("api.github.com:443", "user:wrong").0, 407);
    assert_eq!(open("example.com:443", "user:p@ss").0, 403);
    let (status, tcp) = open("api.github.com:443", "user:p@ss");
    assert_eq!(status, 200);

    let mut roots = RootCertStore::empty();
    roots
        .add(
            rustls::pki_types::CertificateDer::from_pem_slice(sandbox.ca_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let name = ServerName::try_from("api.github.com").unwrap();
    let mut tls = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), tcp);
    let head = format!(
        "GET /app HTTP/1.1\r\nUser-Agent: t\r\nAuthorization: {}",
        app_jwt(0)
    );
    assert_eq!(send(&mut tls, &head, b"").unwrap().status, 200);

    let last = sandbox.requests().pop().unwrap();
    assert_eq!(
        (last.call, last.through_proxy.as_deref()),
        (Call::App, Some("api.github.com:443"))
    );
    sandbox.refuse(Service::GitHub);
    assert_eq!(open("api.github.com:443", "user:p@ss").0, 502);
}

#[test]
fn the_proxy_passes_plain_requests_on() {
    let sandbox = Sandbox::start().unwrap();
    let mut wire = TcpStream::connect(("127.0.0.1", sandbox.port(Service::Proxy))).unwrap();
    for url in [
        format!("{}/app", sandbox.github_url()),
        "http://api.github.com/app".into(),
    ] {
        let head = format!(
            "GET {url} HTTP/1.1\r\nUser-Agent: t\r\nAuthorization: {}",
            app_jwt(0)
        );
        assert_eq!(send(&mut wire, &head, b"").unwrap().status, 200);
    }
    assert_eq!(
        send(&mut wire, "GET /app HTTP/1.1", b"").unwrap().status,
        400
    );
    let calls: Vec<Call> = sandbox
        .requests()
        .iter()
        .map(|exchange| exchange.call)
        .collect();
    assert_eq!(
        calls,
        [
            Call::Forward,
            Call::App,
            Call::Forward,
            Call::App,
            Call::Forward
        ]
    );
    sandbox.fault(Call::Forward, When::Every, Fault::Reset);
    assert!(send(&mut wire, "GET http://api.github.com/app HTTP/1.1", b"").is_err());
}

/// Calls KMS as the administrator and wants success.
fn admin(sandbox: &Sandbox, region: &str, action: &str, body: Value) -> Value {
    let got = kms(sandbox, world::ADMIN, region, action, &body).unwrap();
    assert_eq!(got.status, 200, "{action}: {}", got.message());
    got.json()
}

/// Calls KMS as the administrator and wants this error.
fn refused(sandbox: &Sandbox, action: &str, body: Value) -> String {
    let got = kms(sandbox, world::ADMIN, "us-east-1", action, &body).unwrap();
    assert_eq!(got.status, 400, "{action} passed");
    got.json()["__type"].as_str().unwrap_or_default().to_owned()
}

fn external_key(sandbox: &Sandbox) -> String {
    let wanted = json!({"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY", "Origin": "EXTERNAL", "MultiRegion": true});
    let made = admin(sandbox, "us-east-1", "CreateKey", wanted);
    assert_eq!(made["KeyMetadata"]["KeyState"], "PendingImport");
    made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

/// The body of an import of `material` into `key`.
fn import_body(sandbox: &Sandbox, region: &str, key: &str, material: &[u8]) -> Value {
    let wanted = json!({
        "KeyId": key, "WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256", "WrappingKeySpec": "RSA_4096",
    });
    let parameters = admin(sandbox, region, "GetParametersForImport", wanted);
    let spki = base64_decode(parameters["PublicKey"].as_str().unwrap()).unwrap();
    json!({
        "KeyId": key,
        "ImportToken": parameters["ImportToken"],
        "EncryptedKeyMaterial": base64(&crate::kms::import::tests::wrap(&spki, material)),
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    })
}

fn pkcs8(jwk: &crate::keys::Jwk) -> Vec<u8> {
    crate::kms::import::tests::pkcs8(&PrivateKey::published(jwk))
}

#[test]
fn imported_material_signs_under_its_alias_in_every_region() {
    let sandbox = Sandbox::start().unwrap();
    let key = external_key(&sandbox);
    assert_eq!(
        refused(&sandbox, "Sign", sign_body(&key)),
        "KMSInvalidStateException"
    );
    assert_eq!(
        refused(
            &sandbox,
            "ReplicateKey",
            json!({"KeyId": key, "ReplicaRegion": "eu-west-1"})
        ),
        "KMSInvalidStateException"
    );
    let body = import_body(&sandbox, "us-east-1", &key, &pkcs8(&RFC_7515));
    admin(&sandbox, "us-east-1", "ImportKeyMaterial", body);

    let replica = admin(
        &sandbox,
        "us-east-1",
        "ReplicateKey",
        json!({"KeyId": key, "ReplicaRegion": "eu-west-1"}),
    );
    assert_eq!(replica["ReplicaKeyMetadata"]["KeyState"], "Creating");
    let state = || {
        admin(&sandbox, "eu-west-1", "DescribeKey", json!({"KeyId": key}))["KeyMetadata"]["KeyState"].clone()
    };
    assert_eq!(
        [state(), state(), state()],
        ["Creating", "Creating", "PendingImport"]
    );
    let body = import_body(&sandbox, "eu-west-1", &key, &pkcs8(&RFC_7515));
    admin(&sandbox, "eu-west-1", "ImportKeyMaterial", body);

    for region in ["us-east-1", "eu-west-1"] {
        admin(
            &sandbox,
            region,
            "CreateAlias",
            json!({"AliasName": "alias/fresh", "TargetKeyId": key}),
        );
        let signed = admin(&sandbox, region, "Sign", sign_body("alias/fresh"));
        let signature = base64_decode(signed["Signature"].as_str().unwrap()).unwrap();
        assert!(
            PrivateKey::published(&RFC_7515)
                .public()
                .verify(b"message", &signature)
        );
    }
    let described = admin(&sandbox, "us-east-1", "DescribeKey", json!({"KeyId": key}));
    assert_eq!(
        described["KeyMetadata"]["MultiRegionConfiguration"]["ReplicaKeys"][0]["Region"],
        "eu-west-1"
    );
}

#[test]
fn imports_that_do_not_fit_are_refused_by_name() {
    let sandbox = Sandbox::start().unwrap();
    let key = external_key(&sandbox);
    let import = |body: Value| refused(&sandbox, "ImportKeyMaterial", body);
    let good = import_body(&sandbox, "us-east-1", &key, &pkcs8(&RFC_7515));
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    assert_eq!(
        import(with("EncryptedKeyMaterial", json!(base64(&[1; 1_800])))),
        "InvalidCiphertextException"
    );
    assert_eq!(
        import(with("ImportToken", json!(base64(b"other")))),
        "InvalidImportTokenException"
    );
    assert_eq!(
        import(with("KeyId", json!(world::PENDING_IMPORT_KEY_ID))),
        "InvalidImportTokenException"
    );
    assert_eq!(
        import(with("KeyId", json!(world::ENCRYPT_KEY_ID))),
        "UnsupportedOperationException"
    );
    assert_eq!(
        import(with("KeyId", json!(world::ALIAS))),
        "NotFoundException"
    );
    assert_eq!(
        import(with("ExpirationModel", json!("KEY_MATERIAL_EXPIRES"))),
        "ValidationException"
    );
    let of = |material: &[u8]| import(import_body(&sandbox, "us-east-1", &key, material));
    assert_eq!(
        of(&PrivateKey::published(&RFC_7515).public().spki()),
        "IncorrectKeyMaterialException"
    );
    assert_eq!(
        of(&pkcs8(&crate::keys::RFC_9500)),
        "IncorrectKeyMaterialException"
    );

    admin(&sandbox, "us-east-1", "ImportKeyMaterial", good.clone());
    admin(&sandbox, "us-east-1", "ImportKeyMaterial", good.clone());
    assert_eq!(of(&pkcs8(&RFC_7520)), "IncorrectKeyMaterialException");
    sandbox.expire_import_tokens();
    assert_eq!(import(good), "ExpiredImportTokenException");
    admin(
        &sandbox,
        "us-east-1",
        "DeleteImportedKeyMaterial",
        json!({"KeyId": key}),
    );
    assert_eq!(of(&pkcs8(&RFC_7520)), "IncorrectKeyMaterialException");
    assert_eq!(
        refused(&sandbox, "Sign", sign_body(&key)),
        "KMSInvalidStateException"
    );

    let oaep = json!({"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_4096"});
    assert_eq!(
        refused(&sandbox, "GetParametersForImport", oaep),
        "UnsupportedOperationException"
    );
}

#[test]
fn aliases_are_made_moved_listed_and_deleted() {
    let sandbox = Sandbox::start().unwrap();
    let alias = |name: &str, key: &str| json!({"AliasName": name, "TargetKeyId": key});
    assert_eq!(
        refused(
            &sandbox,
            "CreateAlias",
            alias(world::ALIAS, world::OTHER_KEY_ID)
        ),
        "AlreadyExistsException"
    );
    assert_eq!(
        refused(&sandbox, "CreateAlias", alias("github-app", world::KEY_ID)),
        "InvalidAliasNameException"
    );
    assert_eq!(
        refused(&sandbox, "CreateAlias", alias("alias/a b", world::KEY_ID)),
        "ValidationException"
    );
    assert_eq!(
        refused(&sandbox, "UpdateAlias", alias("alias/none", world::KEY_ID)),
        "NotFoundException"
    );
    assert_eq!(
        refused(
            &sandbox,
            "UpdateAlias",
            alias(world::ALIAS, world::ENCRYPT_KEY_ID)
        ),
        "ValidationException"
    );
    admin(
        &sandbox,
        "us-east-1",
        "UpdateAlias",
        alias(world::ALIAS, world::OTHER_KEY_ID),
    );
    let signed = admin(&sandbox, "us-east-1", "Sign", sign_body(world::ALIAS));
    assert!(
        signed["KeyId"]
            .as_str()
            .unwrap()
            .ends_with(world::OTHER_KEY_ID)
    );
    let listed = admin(
        &sandbox,
        "us-east-1",
        "ListAliases",
        json!({"KeyId": world::OTHER_KEY_ID}),
    );
    assert_eq!(listed["Aliases"].as_array().map(Vec::len), Some(2));
    let first = admin(&sandbox, "us-east-1", "ListAliases", json!({"Limit": 4}));
    let rest = admin(
        &sandbox,
        "us-east-1",
        "ListAliases",
        json!({"Limit": 4, "Marker": first["NextMarker"]}),
    );
    assert_eq!(
        (first["Truncated"].clone(), rest["Truncated"].clone()),
        (json!(true), json!(false))
    );
    assert_eq!(rest["Aliases"].as_array().map(Vec::len), Some(2));
    admin(
        &sandbox,
        "us-east-1",
        "DeleteAlias",
        json!({"AliasName": world::ALIAS}),
    );
    assert_eq!(
        refused(&sandbox, "Sign", sign_body(world::ALIAS)),
        "NotFoundException"
    );
}

#[test]
fn policies_must_be_sound_and_then_hold() {
    let sandbox = Sandbox::start().unwrap();
    let put = |policy: &str| json!({"KeyId": world::KEY_ID, "Policy": policy});
    let statement = |effect: &str, who: &str, action: &str| json!({"Effect": effect, "Principal": {"AWS": who}, "Action": action, "Resource": "*"});
    let root = statement("Allow", "arn:aws:iam::123456789012:root", "kms:*");
    let policy = |statements: &[Value]| {
        json!({"Version": "2012-10-17", "Statement": statements}).to_string()
    };
    let malformed = |policy: &str| refused(&sandbox, "PutKeyPolicy", put(policy));
    assert_eq!(malformed("{"), "MalformedPolicyDocumentException");
    assert_eq!(malformed("{}"), "MalformedPolicyDocumentException");
    let nobody = statement("Allow", "arn:aws:iam::123456789012:role/nobody", "kms:Sign");
    assert_eq!(
        malformed(&policy(&[root.clone(), nobody])),
        "MalformedPolicyDocumentException"
    );
    let lockout = statement("Allow", "arn:aws:iam::123456789012:user/ci", "kms:Sign");
    assert_eq!(
        malformed(&policy(&[lockout])),
        "MalformedPolicyDocumentException"
    );

    let denied = statement("Deny", "arn:aws:iam::123456789012:user/ci", "kms:Sign");
    let good = policy(&[root, denied]);
    admin(&sandbox, "us-east-1", "PutKeyPolicy", put(&good));
    let read = admin(
        &sandbox,
        "us-east-1",
        "GetKeyPolicy",
        json!({"KeyId": world::KEY_ID}),
    );
    assert_eq!(
        serde_json::from_str::<Value>(read["Policy"].as_str().unwrap()).unwrap(),
        serde_json::from_str::<Value>(&good).unwrap()
    );
    let sign = kms(
        &sandbox,
        world::CI_USER,
        "us-east-1",
        "Sign",
        &sign_body(world::ALIAS),
    )
    .unwrap();
    assert!(
        sign.message()
            .ends_with("with an explicit deny in a resource-based policy"),
        "{}",
        sign.message()
    );
}

#[test]
fn keys_are_switched_tagged_and_deleted() {
    let sandbox = Sandbox::start().unwrap();
    let key = json!({"KeyId": world::KEY_ID});
    let state = || {
        admin(&sandbox, "us-east-1", "DescribeKey", key.clone())["KeyMetadata"]["KeyState"].clone()
    };
    admin(&sandbox, "us-east-1", "DisableKey", key.clone());
    assert_eq!(
        refused(&sandbox, "Sign", sign_body(world::ALIAS)),
        "DisabledException"
    );
    admin(&sandbox, "us-east-1", "EnableKey", key.clone());
    assert_eq!(state(), "Enabled");
    let mut soon = key.clone();
    soon["PendingWindowInDays"] = json!(6);
    assert_eq!(
        refused(&sandbox, "ScheduleKeyDeletion", soon.clone()),
        "ValidationException"
    );
    soon["PendingWindowInDays"] = json!(7);
    admin(&sandbox, "us-east-1", "ScheduleKeyDeletion", soon);
    assert_eq!(state(), "PendingDeletion");
    assert_eq!(
        refused(&sandbox, "EnableKey", key.clone()),
        "KMSInvalidStateException"
    );
    admin(&sandbox, "us-east-1", "CancelKeyDeletion", key.clone());
    assert_eq!(state(), "Disabled");
    let tags = json!({"KeyId": world::KEY_ID, "Tags": [{"TagKey": "app", "TagValue": "my-app"}]});
    admin(&sandbox, "us-east-1", "TagResource", tags.clone());
    assert_eq!(
        admin(&sandbox, "us-east-1", "ListResourceTags", key)["Tags"],
        tags["Tags"]
    );
    assert_eq!(
        admin(&sandbox, "us-east-1", "ListKeys", json!({}))["Keys"]
            .as_array()
            .map(Vec::len),
        Some(6)
    );
}

#[test]
fn every_call_that_manages_keys_needs_its_permission() {
    let sandbox = Sandbox::start().unwrap();
    let key = json!({"KeyId": world::KEY_ID});
    let with = |more: Value| {
        let mut body = key.clone();
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    let wrapping =
        json!({"WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256", "WrappingKeySpec": "RSA_4096"});
    let material = json!({"ImportToken": "YQ==", "EncryptedKeyMaterial": "YQ==", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"});
    for (action, body) in [
        (
            "CreateKey",
            json!({"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY", "Origin": "EXTERNAL"}),
        ),
        (
            "ReplicateKey",
            with(json!({"ReplicaRegion": "eu-central-1"})),
        ),
        ("GetParametersForImport", with(wrapping)),
        ("ImportKeyMaterial", with(material)),
        ("DeleteImportedKeyMaterial", key.clone()),
        (
            "CreateAlias",
            json!({"AliasName": "alias/new", "TargetKeyId": world::KEY_ID}),
        ),
        (
            "UpdateAlias",
            json!({"AliasName": world::ALIAS, "TargetKeyId": world::OTHER_KEY_ID}),
        ),
        ("DeleteAlias", json!({"AliasName": world::ALIAS})),
        ("ListAliases", json!({})),
        ("ListKeys", json!({})),
        ("GetKeyPolicy", key.clone()),
        ("PutKeyPolicy", with(json!({"Policy": "{}"}))),
        ("TagResource", with(json!({"Tags": []}))),
        ("ListResourceTags", key.clone()),
        ("ScheduleKeyDeletion", key.clone()),
        ("CancelKeyDeletion", key.clone()),
        ("DisableKey", key.clone()),
        ("EnableKey", key.clone()),
        ("DescribeKey", key.clone()),
        ("GetPublicKey", key.clone()),
        ("Sign", sign_body(world::ALIAS)),
    ] {
        let got = kms(&sandbox, world::STRANGER, "us-east-1", action, &body).unwrap();
        assert_eq!(got.json()["__type"], "AccessDeniedException", "{action}");
        assert!(
            got.message().contains(&format!("perform: kms:{action} ")),
            "{}",
            got.message()
        );
    }
}
