//! A forward proxy: `CONNECT` tunnels and requests in absolute form ([RFC 9110] section 9.3.6,
//! [RFC 9112] section 3.2.2), with Basic credentials if wanted. It never leaves the machine: names
//! of GitHub and AWS lead to the sandbox's own services, everything else is refused.
//!
//! [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110
//! [RFC 9112]: https://www.rfc-editor.org/rfc/rfc9112

use std::collections::HashMap;

use crate::call::Service;
use crate::codec::base64;
use crate::http::{Answer, Request};

/// Which service answers for a host name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    extra: HashMap<String, Service>,
}

impl Hosts {
    pub(crate) fn add(&mut self, name: &str, service: Service) {
        self.extra.insert(name.to_ascii_lowercase(), service);
    }

    pub(crate) fn service(&self, name: &str) -> Option<Service> {
        let name = name.to_ascii_lowercase();
        if let Some(service) = self.extra.get(&name) {
            return Some(*service);
        }
        if name == "api.github.com" || name.starts_with("api.") && name.ends_with(".ghe.com") {
            return Some(Service::GitHub);
        }
        if name.ends_with(".actions.githubusercontent.com") {
            return Some(Service::Oidc);
        }
        let aws = [
            ".amazonaws.com",
            ".amazonaws.com.cn",
            ".api.aws",
            ".api.amazonwebservices.com.cn",
        ];
        let stem = aws.iter().find_map(|suffix| name.strip_suffix(suffix))?;
        match stem.split('.').next()? {
            "kms" | "kms-fips" => Some(Service::Kms),
            "sts" | "sts-fips" => Some(Service::Sts),
            _ => None,
        }
    }
}

/// What a proxied request leads to.
pub(crate) enum Way {
    /// A tunnel to the service, under this name.
    Tunnel(Service, String),
    /// One request for the service, under this name.
    Single(Service, String, Request),
    /// No further than this answer.
    End(Answer),
}

/// Decides where a request goes. `port_of` finds the service behind one of the sandbox's own ports.
pub(crate) fn way(
    request: &Request,
    credentials: Option<&(String, String)>,
    hosts: &Hosts,
    port_of: impl Fn(u16) -> Option<Service>,
) -> Way {
    if let Some((user, password)) = credentials {
        let expected = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
        if request.header("proxy-authorization") != Some(&expected) {
            let answer = Answer::new(407).header("Proxy-Authenticate", "Basic realm=\"sandbox\"");
            return Way::End(
                answer
                    .header("Content-Type", "text/plain")
                    .body("proxy credentials are missing or wrong\n"),
            );
        }
    }
    let find = |authority: &str| {
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        let local = matches!(host, "127.0.0.1" | "localhost");
        if local {
            port_of(port.parse().ok()?)
        } else {
            hosts.service(host)
        }
    };
    let unknown = |authority: &str| {
        let body = format!("the sandbox's proxy does not lead to {authority}\n");
        Way::End(
            Answer::new(403)
                .header("Content-Type", "text/plain")
                .body(body),
        )
    };
    if request.method == "CONNECT" {
        let authority = request.target.as_str();
        return match find(authority).filter(|_| authority.contains(':')) {
            Some(service) => Way::Tunnel(service, authority.to_owned()),
            None => unknown(authority),
        };
    }
    let Some(rest) = request.target.strip_prefix("http://") else {
        let body = "a proxy wants CONNECT, or a request for an http:// URL\n";
        return Way::End(
            Answer::new(400)
                .header("Content-Type", "text/plain")
                .body(body),
        );
    };
    let (authority, path) = rest
        .find('/')
        .map_or((rest, "/"), |slash| rest.split_at(slash));
    match find(authority) {
        Some(service) => {
            let mut inner = request.clone();
            inner.target = path.to_owned();
            inner.headers.retain(|(name, _)| {
                !name.eq_ignore_ascii_case("proxy-authorization")
                    && !name.eq_ignore_ascii_case("proxy-connection")
            });
            Way::Single(service, authority.to_owned(), inner)
        }
        None => unknown(authority),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_github_and_aws_lead_to_their_services() {
        let mut hosts = Hosts::default();
        hosts.add("ghes.example.com", Service::GitHub);
        for (name, service) in [
            ("api.github.com", Some(Service::GitHub)),
            ("API.octo.ghe.com", Some(Service::GitHub)),
            ("GHES.example.com", Some(Service::GitHub)),
            ("kms.us-east-1.amazonaws.com", Some(Service::Kms)),
            ("kms-fips.us-gov-west-1.amazonaws.com", Some(Service::Kms)),
            ("kms.cn-north-1.amazonaws.com.cn", Some(Service::Kms)),
            ("kms.eu-west-1.api.aws", Some(Service::Kms)),
            ("sts.amazonaws.com", Some(Service::Sts)),
            ("run.actions.githubusercontent.com", Some(Service::Oidc)),
            ("s3.us-east-1.amazonaws.com", None),
            ("example.com", None),
        ] {
            assert_eq!(hosts.service(name), service, "{name}");
        }
    }
}
