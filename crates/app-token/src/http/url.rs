//! The URLs that this program sends requests to: an origin and a path, parsed once and strictly.
//!
//! Only a part of what RFC 3986 allows is taken, on purpose: no user info, no fragment, and a host of
//! plain ASCII (or an IPv6 address in brackets), so that two readers cannot disagree about where a
//! request goes.

use std::fmt;

/// Scheme, host and port: where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// Whether TLS is spoken.
    pub secure: bool,
    /// In lower case; an IPv6 address without its brackets.
    pub host: String,
    /// The port, the scheme's own if none was written.
    pub port: u16,
}

/// An origin and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Where.
    pub origin: Origin,
    /// The path, starting with a slash, and the query if there is one.
    pub path: String,
}

/// Why a text is not taken as a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// Neither http nor https.
    Scheme,
    /// Plain http to another machine.
    Insecure,
    /// A name or password stands before the host.
    UserInfo,
    /// The host is empty or has a character that no host has.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// There is a query where none belongs.
    Query,
    /// There is a fragment.
    Fragment,
    /// A character that no path has, or a segment `.` or `..`.
    Path,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "it does not start with https://",
            Self::Insecure => "plain http is taken for loopback addresses alone",
            Self::UserInfo => "it holds credentials",
            Self::Host => "its host is malformed",
            Self::Port => "its port is malformed",
            Self::Query => "it has a query",
            Self::Fragment => "it has a fragment",
            Self::Path => "its path is malformed",
        })
    }
}

impl std::error::Error for UrlError {}

impl Origin {
    /// Whether the host is this machine, by name or address.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Whether a host (an IPv6 address without brackets) is this machine.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "https://" } else { "http://" })?;
        f.write_str(&self.authority())
    }
}

impl Origin {
    /// Host and port as the `Host` header has them: no port where it is the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == if self.secure { 443 } else { 80 } {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

impl Url {
    /// Reads any http or https URL, a query included.
    ///
    /// # Errors
    /// A [`UrlError`] for whatever this program has no use for.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (secure, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            _ => return Err(UrlError::Scheme),
        };
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let end = rest.find(['/', '?', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        let (host, port) = split_authority(authority)?;
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        check_path(&path)?;
        let port = port.unwrap_or(if secure { 443 } else { 80 });
        Ok(Self {
            origin: Origin { secure, host, port },
            path,
        })
    }

    /// Reads the base of an API or an endpoint: https (plain http for loopback alone), no query; a
    /// trailing slash is dropped, so that paths can be joined to it.
    ///
    /// # Errors
    /// As [`Url::parse`], and [`UrlError::Insecure`] and [`UrlError::Query`].
    pub fn parse_base(text: &str) -> Result<Self, UrlError> {
        let mut url = Self::parse(text)?;
        if url.path.contains('?') {
            return Err(UrlError::Query);
        }
        if !url.origin.secure && !url.origin.is_loopback() {
            return Err(UrlError::Insecure);
        }
        url.path.truncate(url.path.trim_end_matches('/').len());
        Ok(url)
    }

    /// This base with `path`, which starts with a slash and is already encoded.
    pub fn join(&self, path: &str) -> Self {
        Self {
            origin: self.origin.clone(),
            path: format!("{}{path}", self.path),
        }
    }
}

/// Takes `host`, `host:port`, `[v6]` or `[v6]:port` apart.
///
/// # Errors
/// [`UrlError::Host`] or [`UrlError::Port`].
pub fn split_authority(authority: &str) -> Result<(String, Option<u16>), UrlError> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or(UrlError::Host)?;
        host.parse::<std::net::Ipv6Addr>()
            .map_err(|_| UrlError::Host)?;
        let port = match port {
            "" => None,
            port => Some(port.strip_prefix(':').ok_or(UrlError::Port)?),
        };
        (host, port)
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if !authority.starts_with('[') {
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if host.len() > 253 || !host.split('.').all(label) {
            return Err(UrlError::Host);
        }
        // A last label of digits makes a host an IPv4 address, of which readers know odd spellings
        // (2130706433, 0x7f.1): take the plain one alone.
        let last = host.rsplit('.').next().unwrap_or_default();
        let hexadecimal = last
            .get(..2)
            .is_some_and(|start| start.eq_ignore_ascii_case("0x"));
        let numeric = hexadecimal || last.bytes().all(|b| b.is_ascii_digit());
        if numeric && host.parse::<std::net::Ipv4Addr>().is_err() {
            return Err(UrlError::Host);
        }
    }
    let port = match port {
        None => None,
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => Some(
            digits
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or(UrlError::Port)?,
        ),
        Some(_) => return Err(UrlError::Port),
    };
    Ok((host.to_ascii_lowercase(), port))
}

fn check_path(path: &str) -> Result<(), UrlError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%?".contains(&b);
    let steps = path.split('?').next().unwrap_or_default();
    // A server may decode before it resolves.
    let steps = steps.replace("%2e", ".").replace("%2E", ".");
    if !path.bytes().all(fits) || steps.split('/').any(|step| step == "." || step == "..") {
        return Err(UrlError::Path);
    }
    Ok(())
}

/// `text` with everything but RFC 3986's unreserved characters percent-encoded: fit for one segment of
/// a path or one value of a query.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_bases_in_use() {
        for (text, printed) in [
            ("https://api.github.com", "https://api.github.com"),
            ("https://api.github.com/", "https://api.github.com"),
            (
                "HTTPS://GHE.Example.com/api/v3//",
                "https://ghe.example.com/api/v3",
            ),
            (
                "https://api.acme.ghe.com:8443/x",
                "https://api.acme.ghe.com:8443/x",
            ),
            ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
            ("http://[::1]:80/", "http://[::1]"),
            ("http://localhost:1", "http://localhost:1"),
        ] {
            assert_eq!(
                Url::parse_base(text).map(|url| url.to_string()),
                Ok(printed.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_everything_else_by_its_reason() {
        for (text, reason) in [
            ("", UrlError::Scheme),
            ("api.github.com", UrlError::Scheme),
            ("ftp://api.github.com", UrlError::Scheme),
            ("http://api.github.com", UrlError::Insecure),
            ("http://127.0.0.1.example.com", UrlError::Insecure),
            ("https://user@api.github.com", UrlError::UserInfo),
            ("https://api.github.com@evil.example", UrlError::UserInfo),
            ("https://", UrlError::Host),
            ("https://a b", UrlError::Host),
            ("https://api..com", UrlError::Host),
            ("https://2130706433", UrlError::Host),
            ("https://127.1", UrlError::Host),
            ("https://0x7f000001", UrlError::Host),
            ("https://0X7F000001", UrlError::Host),
            ("https://gïthub.com", UrlError::Host),
            ("https://[::1", UrlError::Host),
            ("https://[api]", UrlError::Host),
            ("https://a:0", UrlError::Port),
            ("https://a:65536", UrlError::Port),
            ("https://a:+1", UrlError::Port),
            ("https://a:", UrlError::Port),
            ("https://a/?q=1", UrlError::Query),
            ("https://a?q", UrlError::Query),
            ("https://a/#x", UrlError::Fragment),
            ("https://a/../b", UrlError::Path),
            ("https://a/%2e%2E/b", UrlError::Path),
            ("https://a/.%2e", UrlError::Path),
            ("https://a/b c", UrlError::Path),
            ("https://a\\b", UrlError::Path),
            ("https://a/\r\nX: y", UrlError::Path),
        ] {
            assert_eq!(
                Url::parse_base(text).map(|url| url.to_string()),
                Err(reason),
                "{text}"
            );
        }
    }

    #[test]
    fn encodes_all_but_the_unreserved() {
        assert_eq!(
            encode("a-b._~/?#[]@ é"),
            "a-b._~%2F%3F%23%5B%5D%40%20%C3%A9"
        );
    }
}
