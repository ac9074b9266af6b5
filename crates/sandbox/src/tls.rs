//! TLS: a certificate authority made at each start, certificates for the names that the sandbox
//! answers to, and the bad ones that a fault asks for.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::ring::{default_provider, sign::any_ecdsa_type};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};

use crate::fault::Fault;
use crate::proxy::Hosts;

/// The names in the usual certificate.
const OWN_NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// What the TLS listeners need.
pub(crate) struct Tls {
    ca_pem: String,
    good: Arc<ServerConfig>,
    untrusted: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    wrong_host: Arc<ServerConfig>,
}

impl Tls {
    /// Makes the authority. Each of `hosts` gets a certificate where a client asks for it by SNI.
    pub(crate) fn new(hosts: Hosts) -> io::Result<Self> {
        let authority = Authority::new("Sandbox CA")?;
        let stranger = Authority::new("Unknown CA")?;
        let ca_pem = authority.issuer.pem();
        let untrusted = Arc::new(Fixed(stranger.certify(&OWN_NAMES)?));
        let wrong_host = Arc::new(Fixed(authority.certify(&["wrong.invalid"])?));
        let expired = Arc::new(Fixed(authority.certify_until(&OWN_NAMES, Some(2021))?));
        let names = Names {
            default: authority.certify(&OWN_NAMES)?,
            made: Mutex::default(),
            hosts,
            authority,
        };
        Ok(Self {
            ca_pem,
            good: config(Arc::new(names))?,
            untrusted: config(untrusted)?,
            expired: config(expired)?,
            wrong_host: config(wrong_host)?,
        })
    }

    /// The authority's certificate.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The server's side of a new connection.
    pub(crate) fn accept(&self, fault: Option<&Fault>) -> io::Result<ServerConnection> {
        let config = match fault {
            Some(Fault::BadCertificate) => &self.untrusted,
            Some(Fault::ExpiredCertificate) => &self.expired,
            Some(Fault::WrongHost) => &self.wrong_host,
            _ => &self.good,
        };
        ServerConnection::new(config.clone()).map_err(io::Error::other)
    }
}

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> io::Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        Ok(Self { issuer })
    }

    fn certify(&self, names: &[&str]) -> io::Result<Arc<CertifiedKey>> {
        self.certify_until(names, None)
    }

    /// A certificate that ended with the start of this year, if one is given.
    fn certify_until(&self, names: &[&str], end: Option<i32>) -> io::Result<Arc<CertifiedKey>> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Sandbox");
        params.use_authority_key_identifier_extension = true;
        if let Some(year) = end {
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
        }
        params.insert_extended_key_usage(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(io::Error::other)?;
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = any_ecdsa_type(&PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .map_err(io::Error::other)?;
        Ok(Arc::new(CertifiedKey::new(chain, key)))
    }
}

fn config(resolver: Arc<dyn ResolvesServerCert>) -> io::Result<Arc<ServerConfig>> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

struct Fixed(Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

impl std::fmt::Debug for Fixed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fixed")
    }
}

/// One certificate a name, made when it is first asked for.
struct Names {
    default: Arc<CertifiedKey>,
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
    hosts: Hosts,
    authority: Authority,
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or_default().to_ascii_lowercase();
        if self.hosts.service(&name).is_none() {
            return Some(self.default.clone());
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = made.get(&name) {
            return Some(key.clone());
        }
        let key = self.authority.certify(&[&name]).ok()?;
        made.insert(name, key.clone());
        Some(key)
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}
