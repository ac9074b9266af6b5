//! The network: `ureq` over rustls, each request on a thread of its own.
//!
//! ureq follows no redirect and repeats nothing here, as [`Transport`] asks. Certificates are the
//! platform's, or Mozilla's where the platform has none, and the files that the route names besides.
//! Every proxy is spoken to with CONNECT.

use super::executor;
use app_token::http::url::Origin;
use app_token::http::{BODY_LIMIT, Fault, FaultKind, Request, Response, Route, Transport};
use base64ct::{Base64, Encoding};
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::cell::{OnceCell, RefCell};
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy, ProxyProtocol};

/// The longest that a thread stays with a request that nobody waits for any more. Longer than any limit
/// of the library's, which ends a request first.
const LONGEST: Duration = Duration::from_secs(90);

/// How AWS and GitHub know this program.
const USER_AGENT: &str = concat!("app-token-cli/", env!("CARGO_PKG_VERSION"));

/// See the module.
pub struct Threads {
    agents: RefCell<Vec<(Route, bool, Agent)>>,
    roots: OnceCell<Vec<Certificate<'static>>>,
}

impl Threads {
    pub fn new() -> Self {
        // Fails only if it was done before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            agents: RefCell::default(),
            roots: OnceCell::new(),
        }
    }

    /// The agent for this route, with the connections that it keeps.
    fn agent(&self, route: &Route, secure: bool) -> Result<Agent, Fault> {
        let known = |(of, tls, _): &&(Route, bool, Agent)| of == route && *tls == secure;
        if let Some((_, _, agent)) = self.agents.borrow().iter().find(known) {
            return Ok(agent.clone());
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(LONGEST))
            .user_agent(USER_AGENT)
            .accept_encoding("")
            .proxy(proxy(route)?);
        if secure
            || route
                .proxy
                .as_ref()
                .is_some_and(|proxy| proxy.origin.secure)
        {
            let mut roots = self.roots.get_or_init(platform_roots).clone();
            for file in &route.ca_files {
                roots.extend(read_certificates(file)?);
            }
            // Node reads this variable by itself, so the route leaves it out; here nobody else does.
            if let Some(file) = std::env::var("NODE_EXTRA_CA_CERTS")
                .ok()
                .filter(|file| !file.trim().is_empty() && !route.ca_files.contains(file))
            {
                roots.extend(read_certificates(&file)?);
            }
            let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots)));
            config = config.tls_config(tls.build());
        }
        let agent: Agent = config.build().into();
        let entry = (route.clone(), secure, agent.clone());
        self.agents.borrow_mut().push(entry);
        Ok(agent)
    }
}

impl Transport for Threads {
    fn send(
        &self,
        request: &Request,
        route: &Route,
    ) -> LocalBoxFuture<'static, Result<Response, Fault>> {
        let agent = match self.agent(route, request.url.origin.secure) {
            Ok(agent) => agent,
            Err(fault) => return ready(Err(fault)).boxed_local(),
        };
        let request = request.clone();
        let work = executor::in_thread(move || send(&agent, &request));
        async move { work.await.unwrap_or_else(|words| Err(broken(words))) }.boxed_local()
    }

    /// Nothing is opened ahead: ureq has no way to, and here nobody counts milliseconds.
    fn connect(&self, _: &Origin, _: &Route) {}
}

fn send(agent: &Agent, request: &Request) -> Result<Response, Fault> {
    let mut builder = ureq::http::Request::builder()
        .method(request.method.as_str())
        .uri(request.url.to_string());
    for (name, value) in &request.headers {
        builder = builder.header(*name, value.expose());
    }
    let malformed = |_| broken("the request is malformed".into());
    let answer = if request.body.is_empty() {
        agent.run(builder.body(()).map_err(malformed)?)
    } else {
        agent.run(
            builder
                .body(request.body.expose().as_bytes())
                .map_err(malformed)?,
        )
    };
    let mut answer = answer.map_err(|error| fault(&error))?;
    let text =
        |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = answer.headers().iter();
    let headers = headers
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect();
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(BODY_LIMIT as u64);
    let body = body.read_to_vec().map_err(|error| fault(&error))?.into();
    Ok(Response {
        status,
        headers,
        body,
    })
}

fn proxy(route: &Route) -> Result<Option<Proxy>, Fault> {
    let Some(wanted) = &route.proxy else {
        return Ok(None);
    };
    let refused = |words: &str| Fault {
        kind: FaultKind::Proxy,
        words: words.to_owned(),
    };
    let protocol = if wanted.origin.secure {
        ProxyProtocol::Https
    } else {
        ProxyProtocol::Http
    };
    let host = if wanted.origin.host.contains(':') {
        format!("[{}]", wanted.origin.host)
    } else {
        wanted.origin.host.clone()
    };
    let mut proxy = Proxy::builder(protocol)
        .host(&host)
        .port(wanted.origin.port);
    if let Some(authorization) = &wanted.authorization {
        let pair = authorization
            .expose()
            .strip_prefix("Basic ")
            .and_then(|pair| Base64::decode_vec(pair).ok())
            .and_then(|pair| String::from_utf8(pair).ok())
            .map(zeroize::Zeroizing::new);
        let Some((user, password)) = pair.as_ref().and_then(|pair| pair.split_once(':')) else {
            return Err(refused("its credentials cannot be used"));
        };
        proxy = proxy.username(user).password(password);
    }
    proxy
        .build()
        .map(Some)
        .map_err(|_| refused("its address cannot be used"))
}

/// The platform's certificates; Mozilla's where it has none, as in an empty container. Where
/// `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, asking the platform would give those alone, so it is
/// Mozilla's there too: the file is added by the route.
fn platform_roots() -> Vec<Certificate<'static>> {
    let replaced = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let own = if replaced {
        Vec::new()
    } else {
        rustls_native_certs::load_native_certs().certs
    };
    let take = |der: &[u8]| Certificate::from_der(der).to_owned();
    if own.is_empty() {
        let mozilla = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
        return mozilla.map(|der| take(der)).collect();
    }
    own.iter().map(|der| take(der)).collect()
}

fn read_certificates(file: &str) -> Result<Vec<Certificate<'static>>, Fault> {
    let unusable = |words: String| Fault {
        kind: FaultKind::CaBundle,
        words: format!("{file}: {words}"),
    };
    let read = CertificateDer::pem_file_iter(file).map_err(|error| unusable(error.to_string()))?;
    let read: Result<Vec<_>, _> = read.collect();
    let read = read.map_err(|error| unusable(error.to_string()))?;
    if read.is_empty() {
        return Err(unusable("it holds no certificate".into()));
    }
    Ok(read
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect())
}

fn broken(words: String) -> Fault {
    Fault {
        kind: FaultKind::Broken,
        words,
    }
}

/// What ureq's error means for the caller, with its cause in words.
fn fault(error: &ureq::Error) -> Fault {
    let (kind, words) = match error {
        ureq::Error::Timeout(_) => (FaultKind::Timeout, error.to_string()),
        ureq::Error::BodyExceedsLimit(_) => (FaultKind::TooLarge, String::new()),
        ureq::Error::ConnectProxyFailed(words) => (FaultKind::Proxy, words.clone()),
        ureq::Error::HostNotFound => (FaultKind::Broken, "the host's name is not known".into()),
        ureq::Error::Rustls(error) => (FaultKind::Tls, error.to_string()),
        ureq::Error::Tls(words) => (FaultKind::Tls, (*words).to_owned()),
        ureq::Error::Io(error) => {
            let tls = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match tls {
                Some(tls) => (FaultKind::Tls, tls.to_string()),
                None => (FaultKind::Broken, error.to_string()),
            }
        }
        _ => (FaultKind::Broken, error.to_string()),
    };
    Fault { kind, words }
}
