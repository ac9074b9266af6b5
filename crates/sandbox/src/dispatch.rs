//! Which service a request is for: what the request is, its answer, and the form of an error that a fault
//! asks for.

use crate::call::{Call, Service};
use crate::http::{Answer, Request};
use crate::sigv4::Authorization;
use crate::state::State;
use crate::{aws, github, kms, metadata, oidc, sts};

/// What a request is, before anyone answers it, and the region that its signature names.
pub(crate) fn classify(
    state: &State,
    service: Service,
    request: &Request,
) -> (Call, Option<String>) {
    let call = match service {
        Service::GitHub => github::call_of(request, &state.options),
        Service::Kms => kms::call_of(request),
        Service::Sts => sts::call_of(request),
        Service::Oidc => Call::IdToken,
        Service::Metadata => metadata::call_of(request),
        Service::Proxy => Call::Forward,
    };
    let authorization = request.header("authorization").unwrap_or_default();
    let scope = Authorization::parse(authorization).ok();
    (call, scope.map(|scope| scope.region))
}

/// The service's own answer.
pub(crate) fn answer(state: &State, service: Service, call: Call, request: &Request) -> Answer {
    match service {
        Service::GitHub => github::answer(state, call, request),
        Service::Kms => kms::answer(state, call, request),
        Service::Sts => sts::answer(state, call, request),
        Service::Oidc => oidc::answer(state, request),
        Service::Metadata => metadata::answer(state, call, request),
        // Answered by the connection itself, which may become a tunnel.
        Service::Proxy => Answer::new(400),
    }
}

/// An error of AWS as the service writes it: XML for STS, JSON for the others.
pub(crate) fn error(service: Service, status: u16, kind: &str, message: &str) -> Answer {
    match service {
        Service::Sts => sts::error(status, kind, message),
        _ => aws::json_error(status, kind, message),
    }
}
