//! Which proxy and which certificates apply to an origin, from the variables that companies set.
//!
//! `HTTPS_PROXY` and `HTTP_PROXY` by the scheme of the request, `NO_PROXY` for exceptions, each in
//! either case (the lower case wins, as with curl). `NODE_EXTRA_CA_CERTS` and `SSL_CERT_FILE` name files
//! of certificates for every server, `AWS_CA_BUNDLE` for AWS alone. They are accepted besides the
//! platform's own, never in their place.

use super::url::{Origin, Url, UrlError, split_authority};
use super::{Proxy, Route};
use crate::error::{Error, Result, problem, words};
use crate::host::{Env, FileError, Files, Log};
use crate::secret::Secret;
use base64ct::{Base64, Encoding};

/// The routes of this machine, read once.
#[derive(Debug, Default)]
pub struct Network {
    for_https: Option<Proxy>,
    for_http: Option<Proxy>,
    exceptions: Vec<Exception>,
    node_ca: Option<String>,
    ssl_ca: Option<String>,
    aws_ca: Option<String>,
}

/// An entry of `NO_PROXY`.
#[derive(Debug, PartialEq, Eq)]
enum Exception {
    /// `*`: no proxy at all.
    Everything,
    /// A host and all below it, at one port or any.
    Domain(String, Option<u16>),
    /// A range of addresses, as `10.0.0.0/8`.
    Range(std::net::IpAddr, u32),
}

/// The link-local addresses at which clouds hand out credentials; a proxy would hand out its own.
const METADATA: [&str; 5] = [
    "169.254.169.254",
    "fd00:ec2::254",
    "169.254.170.2",
    "169.254.170.23",
    "fd00:ec2::23",
];

impl Network {
    /// Reads the variables, and masks whatever credentials they hold.
    ///
    /// # Errors
    /// [`problem::PROXY_INVALID`], naming the variable but not its value;
    /// [`problem::CA_BUNDLE_UNREADABLE`].
    pub fn read(env: &dyn Env, files: &dyn Files, log: &dyn Log) -> Result<Self> {
        Self::reaching(None, env, files, log)
    }

    /// The same for one origin alone, which is none of AWS's: what does not matter for it is not read, and
    /// a file of certificates that cannot be used is left out, with a warning.
    ///
    /// # Errors
    /// [`problem::PROXY_INVALID`].
    pub fn read_for(
        origin: &Origin,
        env: &dyn Env,
        files: &dyn Files,
        log: &dyn Log,
    ) -> Result<Self> {
        Self::reaching(Some(origin), env, files, log)
    }

    fn reaching(
        only: Option<&Origin>,
        env: &dyn Env,
        files: &dyn Files,
        log: &dyn Log,
    ) -> Result<Self> {
        let either = |name: &str| {
            let lower = name.to_ascii_lowercase();
            env.var(&lower)
                .map(|value| (lower, value))
                .or_else(|| Some((name.to_owned(), env.var(name)?)))
        };
        let proxy = |name: &str, secure: bool| {
            let matters = only.is_none_or(|only| only.secure == secure && !only.is_loopback());
            either(name)
                .filter(|_| matters)
                .map(|(name, value)| parse_proxy(&name, value.trim(), log))
                .transpose()
        };
        let exceptions = either("NO_PROXY")
            .map(|(_, value)| {
                let entries = value
                    .split([',', ' '])
                    .map(str::trim)
                    .filter(|entry| !entry.is_empty());
                entries.filter_map(parse_exception).collect()
            })
            .unwrap_or_default();
        let ca = |name: &str| {
            let checked = env.var(name).map(|path| check_ca(name, path, files));
            match checked.transpose() {
                Err(error) if only.is_some() => {
                    log.warning(&format!("Going on without it: {error}"));
                    Ok(None)
                }
                other => other,
            }
        };
        let ssl_ca = ca("SSL_CERT_FILE")?;
        let aws_ca = match only {
            None => ca("AWS_CA_BUNDLE")?,
            Some(_) => None,
        };
        // Node adds its own variable by itself, but not where other files are named.
        let node_ca = match ssl_ca.is_some() || aws_ca.is_some() {
            true => ca("NODE_EXTRA_CA_CERTS")?,
            false => None,
        };
        Ok(Self {
            for_https: proxy("HTTPS_PROXY", true)?,
            for_http: proxy("HTTP_PROXY", false)?,
            exceptions,
            node_ca,
            ssl_ca,
            aws_ca,
        })
    }

    /// How to get to `origin`. `aws` says whether it is one of AWS's, for `AWS_CA_BUNDLE`.
    pub fn route(&self, origin: &Origin, aws: bool) -> Route {
        let proxy = if origin.secure {
            &self.for_https
        } else {
            &self.for_http
        };
        let proxy = proxy.as_ref().filter(|_| !self.is_exempt(origin)).cloned();
        let mut ca_files: Vec<String> = Vec::new();
        if origin.secure || proxy.as_ref().is_some_and(|proxy| proxy.origin.secure) {
            let named = [&self.ssl_ca, if aws { &self.aws_ca } else { &None }];
            for file in named.into_iter().flatten() {
                if !ca_files.contains(file) {
                    ca_files.push(file.clone());
                }
            }
            if let Some(file) = self
                .node_ca
                .as_ref()
                .filter(|file| !ca_files.is_empty() && !ca_files.contains(file))
            {
                ca_files.push(file.clone());
            }
        }
        Route { proxy, ca_files }
    }

    fn is_exempt(&self, origin: &Origin) -> bool {
        origin.is_loopback()
            || METADATA.contains(&origin.host.as_str())
            || self
                .exceptions
                .iter()
                .any(|exception| exception.covers(origin))
    }
}

impl Exception {
    fn covers(&self, origin: &Origin) -> bool {
        match self {
            Self::Everything => true,
            Self::Domain(domain, port) => {
                let below = origin.host.strip_suffix(domain.as_str());
                below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    && port.is_none_or(|port| port == origin.port)
            }
            Self::Range(network, length) => origin
                .host
                .parse()
                .is_ok_and(|address| bits(address).zip_prefix(bits(*network), *length)),
        }
    }
}

/// An address as a number, with its length in bits.
struct Bits(u128, u32);

fn bits(address: std::net::IpAddr) -> Bits {
    match address {
        std::net::IpAddr::V4(address) => Bits(u128::from(address.to_bits()) << 96, 32),
        std::net::IpAddr::V6(address) => Bits(address.to_bits(), 128),
    }
}

impl Bits {
    fn zip_prefix(&self, other: Self, length: u32) -> bool {
        self.1 == other.1 && (length == 0 || (self.0 ^ other.0) >> (128 - length) == 0)
    }
}

/// A file of certificates must be there and hold one: a wrong path would otherwise show as a refused
/// certificate, far from its cause.
#[inline(never)]
fn check_ca(name: &str, path: String, files: &dyn Files) -> Result<String> {
    let unusable = |why: String| Err(Error::new(&problem::CA_BUNDLE_UNREADABLE, why).at(name));
    match files.read(&path) {
        Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => Ok(path),
        Ok(_) => unusable(format!("{} holds no certificate in PEM form", words(&path))),
        Err(FileError(why)) => unusable(words(&why)),
    }
}

#[inline(never)]
fn parse_exception(entry: &str) -> Option<Exception> {
    if entry == "*" {
        return Some(Exception::Everything);
    }
    if let Some((address, length)) = entry.split_once('/') {
        let address: std::net::IpAddr = address.parse().ok()?;
        let length = length
            .parse()
            .ok()
            .filter(|length| *length <= bits(address).1)?;
        return Some(Exception::Range(address, length));
    }
    if let Ok(address) = entry.parse::<std::net::Ipv6Addr>() {
        return Some(Exception::Domain(address.to_string(), None));
    }
    let entry = entry.strip_prefix('*').unwrap_or(entry);
    let (host, port) = split_authority(entry.strip_prefix('.').unwrap_or(entry)).ok()?;
    Some(Exception::Domain(host, port))
}

#[inline(never)]
fn parse_proxy(name: &str, value: &str, log: &dyn Log) -> Result<Proxy> {
    let malformed = |reason: &str| Error::new(&problem::PROXY_INVALID, reason).at(name);
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let (credentials, authority) = match rest.rsplit_once('@') {
        Some((credentials, authority)) => (Some(credentials), authority),
        None => (None, rest),
    };
    // Masked before anything can fail: the message of a failure goes to the log.
    let authorization = credentials.map(|credentials| {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let (user, password) = (decode(user), decode(password));
        for text in [
            credentials.split_once(':').map_or("", |(_, text)| text),
            &password,
        ] {
            log.mask(text);
        }
        let pair = Secret::new(format!("{user}:{password}"));
        let encoded = Secret::new(Base64::encode_string(pair.expose().as_bytes()));
        log.mask(encoded.expose());
        Secret::new(format!("Basic {}", encoded.expose()))
    });
    if scheme.to_ascii_lowercase().starts_with("socks") {
        return Err(malformed("SOCKS proxies are not supported"));
    }
    let url = Url::parse(&format!("{scheme}://{authority}")).map_err(|error| match error {
        UrlError::Scheme => malformed("it is neither http:// nor https://"),
        other => malformed(&other.to_string()),
    })?;
    Ok(Proxy {
        origin: url.origin,
        authorization,
    })
}

/// Percent-decoding, for user and password.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let code = (bytes[index] == b'%')
            .then(|| {
                text.get(index + 1..index + 3)
                    .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            })
            .flatten();
        decoded.push(code.unwrap_or(bytes[index]));
        index += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Recorder, Script, env};
    use std::collections::BTreeMap;

    const PEM: &str = "-----BEGIN CERTIFICATE-----";

    fn read(variables: &BTreeMap<String, String>, log: &Recorder) -> Result<Network> {
        let files = Script::new([])
            .file("/n", PEM)
            .file("/s", PEM)
            .file("/a", PEM)
            .file("/empty", "");
        Network::read(variables, &files, log)
    }

    fn route(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let network = read(&env(variables), &Recorder::default()).unwrap();
        let proxy = network.route(&Url::parse(url).unwrap().origin, false).proxy;
        proxy.map(|proxy| proxy.origin.to_string())
    }

    #[test]
    fn the_scheme_of_the_request_chooses_the_variable() {
        let variables = [("HTTPS_PROXY", "http://p:3128"), ("http_proxy", "q:8080")];
        assert_eq!(
            route(&variables, "https://api.github.com").as_deref(),
            Some("http://p:3128")
        );
        assert_eq!(
            route(&variables, "http://kms.internal").as_deref(),
            Some("http://q:8080")
        );
        assert_eq!(
            route(&[("HTTPS_PROXY", " ")], "https://api.github.com"),
            None
        );
    }

    #[test]
    fn lower_case_wins() {
        let variables = [
            ("HTTPS_PROXY", "http://upper:1"),
            ("https_proxy", "http://lower:2"),
        ];
        assert_eq!(
            route(&variables, "https://a").as_deref(),
            Some("http://lower:2")
        );
    }

    #[test]
    fn loopback_and_metadata_never_go_through_a_proxy() {
        let variables = [("HTTP_PROXY", "http://p:1"), ("HTTPS_PROXY", "http://p:1")];
        for url in [
            "http://127.0.0.1:4566",
            "http://localhost",
            "http://[::1]:80",
            "https://x.localhost",
            "http://169.254.169.254/latest",
            "http://169.254.170.2",
            "http://[fd00:ec2::254]",
        ] {
            assert_eq!(route(&variables, url), None, "{url}");
        }
    }

    #[test]
    fn no_proxy_lists_exceptions() {
        let exempt = |list: &str, url: &str| {
            route(&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", list)], url).is_none()
        };
        for (list, url) in [
            ("*", "https://a"),
            ("example.com", "https://example.com"),
            ("example.com", "https://a.example.com"),
            (".example.com", "https://a.example.com"),
            ("*.example.com", "https://a.example.com"),
            ("x, EXAMPLE.com:443", "https://example.com"),
            ("10.0.0.0/8", "https://10.1.2.3"),
            ("fd00::/8", "https://[fd00::1]"),
            ("10.1.2.3", "https://10.1.2.3"),
        ] {
            assert!(exempt(list, url), "{list} {url}");
        }
        for (list, url) in [
            ("example.com", "https://badexample.com"),
            ("example.com:8443", "https://example.com"),
            ("10.0.0.0/8", "https://11.1.2.3"),
            ("10.0.0.0/33", "https://10.1.2.3"),
            ("0.0.0.0/0", "https://[fd00::1]"),
        ] {
            assert!(!exempt(list, url), "{list} {url}");
        }
    }

    #[test]
    fn credentials_are_decoded_sent_and_masked() {
        let log = Recorder::default();
        let variables = env(&[("HTTPS_PROXY", "http://me:p%40ss%zz@proxy:3128")]);
        let network = read(&variables, &log).unwrap();
        let proxy = network
            .route(&Url::parse("https://a").unwrap().origin, false)
            .proxy
            .unwrap();
        assert_eq!(
            proxy.authorization.unwrap().expose(),
            "Basic bWU6cEBzcyV6eg=="
        );
        assert_eq!(log.masks(), ["p%40ss%zz", "p@ss%zz", "bWU6cEBzcyV6eg=="]);
    }

    #[test]
    fn a_malformed_proxy_is_named_but_not_shown() {
        for value in [
            "socks5://user:hunter2@p:1",
            "ftp://u:hunter2@p:1",
            "http://u:hunter2@p:99999",
            "http://u:hunter2@p:x",
        ] {
            let log = Recorder::default();
            let error = read(&env(&[("https_proxy", value)]), &log).unwrap_err();
            assert!(error.is(&problem::PROXY_INVALID));
            assert_eq!(error.place, "https_proxy");
            assert!(!error.report().contains("hunter2"));
        }
    }

    #[test]
    fn certificates_go_where_they_belong() {
        let all = env(&[
            ("NODE_EXTRA_CA_CERTS", "/n"),
            ("SSL_CERT_FILE", "/s"),
            ("AWS_CA_BUNDLE", "/a"),
        ]);
        let network = read(&all, &Recorder::default()).unwrap();
        let files = |url: &str, aws| {
            network
                .route(&Url::parse(url).unwrap().origin, aws)
                .ca_files
        };
        assert_eq!(files("https://api.github.com", false), ["/s", "/n"]);
        assert_eq!(
            files("https://kms.eu-west-1.amazonaws.com", true),
            ["/s", "/a", "/n"]
        );
        assert!(files("http://127.0.0.1", true).is_empty());
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        for (variable, file, why) in [
            ("SSL_CERT_FILE", "/missing", "ENOENT: no such file"),
            (
                "AWS_CA_BUNDLE",
                "/empty",
                "/empty holds no certificate in PEM form",
            ),
        ] {
            let error = read(&env(&[(variable, file)]), &Recorder::default()).unwrap_err();
            assert!(error.is(&problem::CA_BUNDLE_UNREADABLE));
            assert_eq!(
                (error.place.as_str(), error.detail.as_str()),
                (variable, why)
            );
        }
        assert!(
            read(
                &env(&[("NODE_EXTRA_CA_CERTS", "/missing")]),
                &Recorder::default()
            )
            .is_ok()
        );
    }
}
