//! Faults on demand: which call, when, and what goes wrong.

use std::time::Duration;

use serde_json::{Value, json};

use crate::call::{Call, Service};
use crate::http::Answer;

/// Which of the matching calls a fault hits, counted from when the rule was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The first so many.
    First(u32),
    /// That one alone, counted from 1.
    Nth(u32),
    /// All of them.
    Every,
}

impl When {
    fn hits(self, count: u32) -> bool {
        match self {
            When::First(n) => count <= n,
            When::Nth(n) => count == n,
            When::Every => true,
        }
    }
}

/// What goes wrong.
///
/// A fault that needs the service's own answer (`ResetInBody`, `HangInBody`, `Truncate`,
/// `WrongTypes`, `Drip`, `Delay`) lets the call take effect first: a token that such an answer
/// carried was minted. Every other fault replaces the call, which then has no effect.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection is reset in place of an answer, and the service's port is closed: further
    /// connections are refused, for good under [`When::Every`], else for 150 ms a call. For a
    /// service that is down from the start see [`crate::Sandbox::refuse`].
    Refuse,
    /// The connection is reset (RST) in place of an answer.
    Reset,
    /// The connection is closed in order (FIN) in place of an answer.
    Close,
    /// Head and half of the body, then a reset.
    ResetInBody,
    /// No byte of an answer, until the client gives up or the sandbox is dropped.
    Hang,
    /// Head and half of the body, then nothing more.
    HangInBody,
    /// The right answer, that much later.
    Delay(Duration),
    /// The right answer, its body a byte at a time with this pause between.
    Drip(Duration),
    /// This answer, in place of the service's own.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Header fields beside `Date` and `Content-Length`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// An error of an AWS service in that service's own shape.
    Aws {
        /// The HTTP status.
        status: u16,
        /// The error's type, as `ThrottlingException`.
        kind: String,
        /// The error's message.
        message: String,
    },
    /// Half of the answer's JSON, as if it were whole (the length fits).
    Truncate,
    /// The right answer with every value at its top of another JSON type.
    WrongTypes,
    /// Status 200 and a JSON body of about so many bytes.
    Huge(usize),
    /// A redirect to this URL with this status.
    Redirect(u16, String),
    /// A redirect with this status to the very URL that was asked.
    RedirectLoop(u16),
    /// A certificate of an authority that nobody knows. See [`Fault::WrongHost`] for when.
    BadCertificate,
    /// A certificate that ended years ago. See [`Fault::WrongHost`] for when.
    ExpiredCertificate,
    /// A certificate for `wrong.invalid`. Needs TLS. Hits the handshakes of the call's service;
    /// for [`Call::Mint`], whose connection is open already when it comes, the first such request
    /// is reset and the handshakes after it are hit.
    WrongHost,
}

impl Fault {
    /// An answer with this status and JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![(
            "Content-Type".into(),
            "application/json; charset=utf-8".into(),
        )];
        Fault::Answer {
            status,
            headers,
            body: body.to_string().into_bytes(),
        }
    }

    /// An error as GitHub words it: a message, a link and the status.
    pub fn github(status: u16, message: &str) -> Self {
        let documentation = "https://docs.github.com/rest";
        Self::json(
            status,
            &json!({"message": message, "documentation_url": documentation, "status": status.to_string()}),
        )
    }

    /// A page of HTML, as load balancers and captive portals send it.
    pub fn html(status: u16) -> Self {
        let headers = vec![("Content-Type".into(), "text/html".into())];
        let body = format!(
            "<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n"
        );
        Fault::Answer {
            status,
            headers,
            body: body.into_bytes(),
        }
    }

    /// An answer with this status and no body.
    pub fn empty(status: u16) -> Self {
        Fault::Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// An AWS error with status 400, as most of them have.
    pub fn aws(kind: &str, message: &str) -> Self {
        Fault::Aws {
            status: 400,
            kind: kind.into(),
            message: message.into(),
        }
    }

    /// The same answer with one more header field. Other faults stay as they are.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Fault::Answer { headers, .. } = &mut self {
            headers.push((name.into(), value.into()));
        }
        self
    }

    fn is_tls(&self) -> bool {
        matches!(
            self,
            Fault::BadCertificate | Fault::ExpiredCertificate | Fault::WrongHost
        )
    }

    /// A short name without the details, for recordings and tables.
    pub fn name(&self) -> String {
        let text = format!("{self:?}");
        let end = text.find([' ', '(', '{']).unwrap_or(text.len());
        match self {
            Fault::Answer { status, .. } => format!("Answer {status}"),
            Fault::Aws { kind, .. } => format!("Aws {kind}"),
            _ => text[..end].to_owned(),
        }
    }
}

struct Rule {
    call: Call,
    region: Option<String>,
    when: When,
    fault: Fault,
    count: u32,
    /// For a TLS fault on a call that never opens a connection: was it seen?
    armed: bool,
}

/// The rules in force.
#[derive(Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
}

impl Faults {
    pub(crate) fn add(&mut self, call: Call, region: Option<&str>, when: When, fault: Fault) {
        let armed = call != Call::Mint;
        let region = region.map(str::to_owned);
        self.rules.push(Rule {
            call,
            region,
            when,
            fault,
            count: 0,
            armed,
        });
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault that hits this request, if any. All rules that match count it; the first that
    /// hits wins.
    pub(crate) fn for_request(
        &mut self,
        call: Call,
        region: Option<&str>,
    ) -> Option<(Fault, When)> {
        let mut found = None;
        for rule in &mut self.rules {
            if rule.call != call
                || rule
                    .region
                    .as_deref()
                    .is_some_and(|wanted| region != Some(wanted))
            {
                continue;
            }
            if rule.fault.is_tls() {
                if !rule.armed {
                    rule.armed = true;
                    found = found.or(Some((Fault::Reset, rule.when)));
                }
                continue;
            }
            rule.count += 1;
            if rule.when.hits(rule.count) && found.is_none() {
                found = Some((rule.fault.clone(), rule.when));
            }
        }
        found
    }

    /// The fault that hits this TLS handshake, if any.
    pub(crate) fn for_handshake(&mut self, service: Service) -> Option<Fault> {
        let mut found = None;
        for rule in &mut self.rules {
            if rule.call.service() != service || !rule.fault.is_tls() || !rule.armed {
                continue;
            }
            rule.count += 1;
            if rule.when.hits(rule.count) && found.is_none() {
                found = Some(rule.fault.clone());
            }
        }
        found
    }
}

/// The same JSON object with each value of another type.
pub(crate) fn with_wrong_types(mut answer: Answer) -> Answer {
    let wrong = match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(fields)) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| {
                    let wrong = match value {
                        Value::String(_) => json!(42),
                        Value::Number(_) => json!("forty-two"),
                        Value::Object(_) => json!([[]]),
                        Value::Array(_) => json!({"0": false}),
                        Value::Bool(_) | Value::Null => json!({}),
                    };
                    (name, wrong)
                })
                .collect(),
        ),
        _ => json!([42]),
    };
    answer.minted = None;
    answer.body = wrong.to_string().into_bytes();
    answer
}

/// A JSON object of about `size` bytes.
pub(crate) fn huge(size: usize) -> Answer {
    let mut body = b"{\"padding\":\"".to_vec();
    body.resize(size.max(16) - 2, b'x');
    body.extend(b"\"}");
    Answer::new(200)
        .header("Content-Type", "application/json")
        .body(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(when: When, calls: usize) -> Vec<bool> {
        let mut faults = Faults::default();
        faults.add(Call::KmsSign, None, when, Fault::Hang);
        (0..calls)
            .map(|_| faults.for_request(Call::KmsSign, None).is_some())
            .collect()
    }

    #[test]
    fn rules_hit_the_calls_that_they_name() {
        assert_eq!(hits(When::First(2), 3), [true, true, false]);
        assert_eq!(hits(When::Nth(2), 3), [false, true, false]);
        assert_eq!(hits(When::Every, 3), [true, true, true]);
    }

    #[test]
    fn a_rule_for_a_region_spares_the_others() {
        let mut faults = Faults::default();
        faults.add(Call::KmsSign, Some("eu-west-1"), When::Every, Fault::Hang);
        assert!(
            faults
                .for_request(Call::KmsSign, Some("us-east-1"))
                .is_none()
        );
        assert!(faults.for_request(Call::KmsSign, None).is_none());
        assert!(faults.for_request(Call::Mint, Some("eu-west-1")).is_none());
        assert!(
            faults
                .for_request(Call::KmsSign, Some("eu-west-1"))
                .is_some()
        );
    }

    #[test]
    fn a_tls_fault_on_the_mint_waits_for_a_mint() {
        let mut faults = Faults::default();
        faults.add(Call::Mint, None, When::First(1), Fault::BadCertificate);
        assert!(faults.for_handshake(Service::GitHub).is_none());
        assert!(matches!(
            faults.for_request(Call::Mint, None),
            Some((Fault::Reset, _))
        ));
        assert!(faults.for_handshake(Service::GitHub).is_some());
        assert!(faults.for_handshake(Service::GitHub).is_none());
        assert!(faults.for_request(Call::Mint, None).is_none());
    }

    #[test]
    fn wrong_types_leave_no_top_value_as_it_was() {
        let answer = Answer::new(201)
            .body(br#"{"token":"t","id":1,"permissions":{},"list":[],"no":null}"#.to_vec());
        let wrong: Value = serde_json::from_slice(&with_wrong_types(answer).body).unwrap();
        assert_eq!(
            wrong,
            json!({"token": 42, "id": "forty-two", "permissions": [[]], "list": {"0": false}, "no": {}})
        );
    }
}
