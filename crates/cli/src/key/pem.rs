//! The private key as GitHub hands it out: PEM (RFC 7468) with PKCS#1 (RFC 8017) inside, or PKCS#8
//! (RFC 5208) if somebody converted it.
//!
//! Every wrong thing that people put here gets its own message, and none of them shows a byte of it.
//! Everything that held the key is wiped.

use crate::problem;
use app_token::error::{Error, Result, words};
use base64ct::{Base64, Encoding};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

/// The size of GitHub's App keys, in bits; KMS calls it RSA_2048.
const BITS: usize = 2048;

/// A PEM of 4096 bits has some 3.3 KB; what is longer is some other file. In bytes.
const MOST_INPUT: usize = 64 * 1024;

/// No path that people type is longer, in bytes; a key without its markers is.
const MOST_PATH: usize = 1000;

/// The longest label in use has some 20 bytes.
const MOST_LABEL: usize = 40;

/// An RSA private key of 2048 bits. Has no `Debug`, and is wiped when dropped.
pub struct PrivateKey(RsaPrivateKey);

impl PrivateKey {
    /// Reads the file, or standard input for `-`.
    ///
    /// # Errors
    /// `pem-*`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = path.to_string_lossy();
        let odd = text.len() > MOST_PATH || text.contains(['\n', '\r']);
        if odd || text.contains("PRIVATE KEY") {
            return Err(Error::new(
                &problem::PEM_UNREADABLE,
                "what stands there is no path but a text, perhaps the key itself",
            )
            .advise("To hand over a key without a file, write it to standard input.")
            .at("--pem"));
        }
        let place = if path == Path::new("-") {
            "standard input".to_owned()
        } else {
            text.into_owned()
        };
        let unreadable = |error: std::io::Error| {
            Error::new(&problem::PEM_UNREADABLE, error.to_string()).at(place.clone())
        };
        // One buffer that never grows, so that no copy is left behind.
        let mut text = Zeroizing::new(vec![0; MOST_INPUT + 1]);
        let length = if path == Path::new("-") {
            fill(std::io::stdin().lock(), &mut text)
        } else {
            std::fs::File::open(path).and_then(|file| fill(file, &mut text))
        };
        let length = length.map_err(unreadable)?;
        Self::parse(&text[..length]).map_err(|error| error.at(place))
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// `pem-*`.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let not_pem = |why: &str| Error::new(&problem::PEM_NOT_PEM, why);
        if text.len() > MOST_INPUT {
            return Err(not_pem("it is larger than any key"));
        }
        if text.trim_ascii().is_empty() {
            return Err(not_pem("it is empty"));
        }
        let Ok(text) = std::str::from_utf8(text) else {
            // A DER file starts with a SEQUENCE.
            return Err(not_pem(match text.first() {
                Some(0x30) => "it looks like DER; openssl pkey -inform der turns it into PEM",
                _ => "it holds bytes that no text has",
            }));
        };
        let text = unescaped(text);
        let text = text.as_str();
        let labels = labels(text);
        let label = match labels[..] {
            [] => return Err(not_pem("no line says -----BEGIN ...-----")),
            [label] => label,
            _ => return Err(Error::new(&problem::PEM_SEVERAL, labels.len().to_string())),
        };
        if label == "ENCRYPTED PRIVATE KEY" || text.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(Error::new(&problem::PEM_ENCRYPTED, ""));
        }
        let der = match label {
            "RSA PRIVATE KEY" | "PRIVATE KEY" => body(text, label)?,
            "PUBLIC KEY" | "RSA PUBLIC KEY" => {
                return Err(Error::new(&problem::PEM_PUBLIC_KEY, label));
            }
            "EC PRIVATE KEY" | "DSA PRIVATE KEY" => {
                return Err(Error::new(&problem::PEM_NOT_RSA, label));
            }
            label => return Err(Error::new(&problem::PEM_NOT_A_KEY, words(label))),
        };
        let damaged = || Error::new(&problem::PEM_DAMAGED, "its numbers do not fit together");
        let key = if label == "RSA PRIVATE KEY" {
            RsaPrivateKey::from_pkcs1_der(&der).map_err(|_| damaged())?
        } else {
            let info = rsa::pkcs8::PrivateKeyInfo::try_from(der.as_slice())
                .map_err(|_| Error::new(&problem::PEM_DAMAGED, "what is inside is no PKCS#8"))?;
            if info.algorithm.oid != rsa::pkcs1::ALGORITHM_OID {
                let detail = format!(
                    "its algorithm is {}",
                    algorithm(&info.algorithm.oid.to_string())
                );
                return Err(Error::new(&problem::PEM_NOT_RSA, detail));
            }
            RsaPrivateKey::from_pkcs8_der(&der).map_err(|_| damaged())?
        };
        let bits = key.n().bits();
        if bits != BITS {
            return Err(Error::new(
                &problem::PEM_WRONG_SIZE,
                format!("it has {bits}"),
            ));
        }
        key.validate().map_err(|_| damaged())?;
        Ok(Self(key))
    }

    /// What KMS imports: PKCS#8 in DER.
    ///
    /// # Errors
    /// [`problem::PEM_DAMAGED`] for a key that cannot be written.
    pub fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>> {
        let der = self.0.to_pkcs8_der();
        let der =
            der.map_err(|_| Error::new(&problem::PEM_DAMAGED, "it cannot be written as PKCS#8"))?;
        Ok(Zeroizing::new(der.as_bytes().to_vec()))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.to_public_key())
    }
}

/// The public half of an App's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(RsaPublicKey);

impl PublicKey {
    /// From SubjectPublicKeyInfo in DER, as KMS gives it. `None` for anything but an RSA key.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        use rsa::pkcs8::DecodePublicKey;
        RsaPublicKey::from_public_key_der(der).ok().map(Self)
    }

    /// SubjectPublicKeyInfo in DER (RFC 5280).
    pub fn spki(&self) -> Vec<u8> {
        let der = self.0.to_public_key_der();
        der.map(|der| der.as_bytes().to_vec()).unwrap_or_default()
    }

    /// As GitHub's settings page shows it.
    pub fn fingerprint(&self) -> String {
        format!(
            "SHA256:{}",
            Base64::encode_string(&Sha256::digest(self.spki()))
        )
    }

    /// Whether `signature` is RSASSA-PKCS1-v1_5 over the SHA-256 of `message` by this key.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let scheme = Pkcs1v15Sign::new::<Sha256>();
        self.0
            .verify(scheme, &Sha256::digest(message), signature)
            .is_ok()
    }

    /// The size in bits.
    pub fn bits(&self) -> usize {
        self.0.n().bits()
    }
}

fn fill(mut from: impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match from.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// The text with line breaks in place of `\n`, as variables hold it that were filled from JSON or YAML; base64
/// has no backslash. In one buffer that never grows, so that no copy is left behind.
fn unescaped(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    for (number, part) in text.split("\\n").enumerate() {
        if number > 0 {
            plain.push('\n');
        }
        for part in part.split("\\r") {
            plain.push_str(part);
        }
    }
    plain
}

/// What stands in the file, by its markers. Lines do not count: a shell and a form make spaces of their
/// ends. What is too long or has other letters is no label, and may be a part of the key.
fn labels(text: &str) -> Vec<&str> {
    let parts = text.split("-----BEGIN ").skip(1);
    let labels = parts.filter_map(|part| part.split_once("-----"));
    let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ';
    labels
        .map(|(label, _)| label)
        .filter(|label| label.len() <= MOST_LABEL && label.bytes().all(fits))
        .collect()
}

/// The bytes between the markers. White space of any kind is left out, since people paste keys.
fn body(text: &str, label: &str) -> Result<Zeroizing<Vec<u8>>> {
    let damaged = |why: &str| Error::new(&problem::PEM_DAMAGED, why);
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let inner = text
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once(&end))
        .map(|(inner, _)| inner)
        .ok_or_else(|| damaged("its last line is missing"))?;
    let mut encoded = Zeroizing::new(Vec::with_capacity(inner.len()));
    encoded.extend(inner.bytes().filter(|b| !b.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; encoded.len()]);
    let length = Base64::decode(&encoded, &mut der)
        .map_err(|_| damaged("what is inside is no base64"))?
        .len();
    der.truncate(length);
    Ok(der)
}

/// The names of what else people put here.
fn algorithm(oid: &str) -> &str {
    match oid {
        "1.2.840.10045.2.1" => "EC",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        "1.2.840.113549.1.1.10" => "RSA-PSS",
        "1.2.840.10040.4.1" => "DSA",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsa::pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey};
    use rsa::pkcs8::LineEnding;
    use rsa::rand_core::OsRng;
    use std::sync::OnceLock;

    fn rsa(bits: usize) -> RsaPrivateKey {
        RsaPrivateKey::new(&mut OsRng, bits).unwrap()
    }

    pub(crate) fn key() -> &'static RsaPrivateKey {
        static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
        KEY.get_or_init(|| rsa(BITS))
    }

    fn problem_of(text: &str) -> Error {
        PrivateKey::parse(text.as_bytes()).err().unwrap()
    }

    #[test]
    fn both_forms_are_one_key() {
        let pkcs1 = key().to_pkcs1_pem(LineEnding::LF).unwrap();
        let pkcs8 = key().to_pkcs8_pem(LineEnding::CRLF).unwrap();
        for text in [
            pkcs1.as_str(),
            pkcs8.as_str(),
            &format!("Bag Attributes\n\n  {}", pkcs1.as_str()),
            // As `echo $KEY`, a form, an old Mac, JSON and Windows' editor leave it.
            &pkcs1.replace('\n', " "),
            &pkcs1.replace('\n', ""),
            &pkcs1.replace('\n', "\r"),
            &pkcs1.replace('\n', "\\n"),
            &pkcs1.replace('\n', "\\r\\n"),
            &format!("\u{feff}{}", pkcs1.as_str()),
        ] {
            let read = PrivateKey::parse(text.as_bytes()).unwrap();
            assert!(read.public() == PublicKey(key().to_public_key()));
            assert_eq!(
                read.pkcs8().unwrap().as_slice(),
                key().to_pkcs8_der().unwrap().as_bytes()
            );
        }
    }

    #[test]
    fn each_wrong_thing_has_its_own_message() {
        let pkcs1 = key().to_pkcs1_pem(LineEnding::LF).unwrap();
        let public = key().to_public_key();
        for (text, expected) in [
            ("", &problem::PEM_NOT_PEM),
            ("hello", &problem::PEM_NOT_PEM),
            (
                &public.to_public_key_pem(LineEnding::LF).unwrap(),
                &problem::PEM_PUBLIC_KEY,
            ),
            (
                &public.to_pkcs1_pem(LineEnding::LF).unwrap(),
                &problem::PEM_PUBLIC_KEY,
            ),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII=\n-----END ENCRYPTED PRIVATE KEY-----",
                &problem::PEM_ENCRYPTED,
            ),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\nMII=\n-----END RSA PRIVATE KEY-----",
                &problem::PEM_ENCRYPTED,
            ),
            (
                "-----BEGIN EC PRIVATE KEY-----\nMII=\n-----END EC PRIVATE KEY-----",
                &problem::PEM_NOT_RSA,
            ),
            (
                "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----",
                &problem::PEM_NOT_A_KEY,
            ),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\nMII=\n-----END OPENSSH PRIVATE KEY-----",
                &problem::PEM_NOT_A_KEY,
            ),
            (&format!("{0}{0}", pkcs1.as_str()), &problem::PEM_SEVERAL),
            (&pkcs1[..pkcs1.len() / 2], &problem::PEM_DAMAGED),
            (&pkcs1.replacen("MII", "MI!", 1), &problem::PEM_DAMAGED),
            (&pkcs1.replacen("MII", "MIA", 1), &problem::PEM_DAMAGED),
            (
                &rsa(1024).to_pkcs1_pem(LineEnding::LF).unwrap(),
                &problem::PEM_WRONG_SIZE,
            ),
            // A P-256 key in PKCS#8.
            (
                "-----BEGIN PRIVATE KEY-----\nMEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCAAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAQ==\n-----END PRIVATE KEY-----",
                &problem::PEM_NOT_RSA,
            ),
        ] {
            let error = problem_of(text);
            assert!(error.is(expected), "{}", error.report());
        }
        let der = key().to_pkcs8_der().unwrap();
        let error = PrivateKey::parse(der.as_bytes()).err().unwrap();
        assert!(error.is(&problem::PEM_NOT_PEM) && error.detail.contains("DER"));
    }

    #[test]
    fn a_key_whose_numbers_were_changed_is_refused() {
        let der = key().to_pkcs1_der().unwrap();
        let mut bytes = der.as_bytes().to_vec();
        // Within the modulus.
        bytes[100] ^= 1;
        let text = format!(
            "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
            Base64::encode_string(&bytes)
        );
        assert!(problem_of(&text).is(&problem::PEM_DAMAGED));
    }

    #[test]
    fn no_message_shows_the_key() {
        let pkcs1 = key().to_pkcs1_pem(LineEnding::LF).unwrap();
        let secret = pkcs1.lines().nth(5).unwrap();
        for text in [
            pkcs1.replace("RSA PRIVATE", "STRANGE"),
            pkcs1.replace("-----BEGIN", "---BEGIN"),
            format!("{0}{0}", pkcs1.as_str()),
            pkcs1.replace("RSA PRIVATE KEY-----", "").replace('\n', " "),
            pkcs1.replace("RSA PRIVATE", "STRANGE").replace('\n', " "),
            pkcs1.replace("KEY-----", "KEY").replace('\n', ""),
            pkcs1.replace("RSA PRIVATE", "EC PRIVATE").replace('\n', ""),
        ] {
            let report = problem_of(&text).report();
            assert!(!report.contains(secret), "{report}");
            // Nor the start of the key.
            assert!(!report.contains("MII"), "{report}");
        }
    }

    #[test]
    fn a_key_in_place_of_its_path_is_not_shown() {
        let pkcs1 = key().to_pkcs1_pem(LineEnding::LF).unwrap();
        let body: String = pkcs1.lines().take(9).skip(1).collect::<Vec<_>>().join("\n");
        for text in [
            pkcs1.as_str(),
            &pkcs1.replace('\n', " "),
            &body,
            &"MII".repeat(500),
        ] {
            let report = PrivateKey::read(Path::new(text)).err().unwrap().report();
            assert!(!report.contains("MII"), "{report}");
            assert!(report.contains("(--pem)"), "{report}");
        }
    }

    #[test]
    fn signatures_are_told_from_others() {
        let signature = key()
            .sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(b"probe"))
            .unwrap();
        let public = PublicKey(key().to_public_key());
        assert!(public.verifies(b"probe", &signature));
        assert!(!public.verifies(b"Probe", &signature));
        assert_eq!(PublicKey::from_spki(&public.spki()), Some(public.clone()));
        assert!(public.fingerprint().starts_with("SHA256:") && public.fingerprint().len() == 51);
    }
}
